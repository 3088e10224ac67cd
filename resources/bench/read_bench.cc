// What reading resource files costs beside toml++'s own parse of the same bytes, in the same run.
// Prints one JSON row a line, as tools/bench collects them; remarks go to stderr.
// usage: read_bench [FOLDER_OF_THE_CORPUS]
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

#include "base/file.h"
#include "resources/toml_parser.h"
#include "resources/toml_reader.h"

namespace fairlead::resources {
namespace {

constexpr int kRounds = 15;
constexpr int kGenerated = 10000;
// A read may cost so many times the parse, and so much more for each resource.
constexpr double kMostRatio = 1.3;
constexpr double kMostPerResourceMs = 0.010;

struct Source {
  std::string name;
  std::string content;
};

// Of the processor: neither side waits for anything, and the machine may have other work.
double Milliseconds(const std::function<void()>& work) {
  const std::clock_t begin = std::clock();
  work();
  return 1000.0 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

double Median(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

bool Parses(const Source& source) {
  return static_cast<bool>(toml::parse(std::string_view(source.content), std::string_view()));
}

void Measure(const std::string& name, const std::vector<Source>& sources, v1::Dialect dialect) {
  std::size_t bytes = 0;
  std::size_t resources = 0;
  for (const Source& source : sources) {
    bytes += source.content.size();
    resources += ReadToml(source.name, source.content, dialect).declarations.size();
  }
  std::vector<double> floors;
  std::vector<double> reads;
  // Taking turns, so that both see the same machine.
  for (int round = 0; round < kRounds; ++round) {
    floors.push_back(Milliseconds([&] {
      for (const Source& source : sources) Parses(source);
    }));
    reads.push_back(Milliseconds([&] {
      for (const Source& source : sources) ReadToml(source.name, source.content, dialect);
    }));
  }
  const double floor = Median(floors);
  const double value = Median(reads);
  const double target = kMostRatio + kMostPerResourceMs * static_cast<double>(resources) / floor;
  absl::PrintF(
      "{\"name\": \"%s\", \"value\": %.3f, \"unit\": \"ms\", \"floor\": %.3f, \"ratio\": %.3f, "
      "\"target\": %.3f, \"holds\": %s}\n",
      name, value, floor, value / floor, target, value <= target * floor ? "true" : "false");
  absl::FPrintF(stderr,
                "%s: %d files, %d bytes, %d resources; %.1f us a resource above the parse\n", name,
                sources.size(), bytes, resources,
                (value - floor) * 1000 / static_cast<double>(std::max<std::size_t>(resources, 1)));
}

void AddFolder(const std::filesystem::path& folder, std::vector<Source>* sources) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".toml") continue;
    const auto content = base::ReadFile(entry.path().string());
    if (content.ok()) sources->push_back({entry.path().filename().string(), *content});
  }
}

// Files of real users, which lie beside the source tree where they are present; else our own.
std::vector<Source> CorpusFiles(const char* folder) {
  const std::filesystem::path root(FAIRLEAD_SOURCE_DIR);
  std::vector<Source> found;
  AddFolder(folder == nullptr ? root / ".." / "shared" / "corpus" / "files" : folder, &found);
  if (found.empty()) {
    absl::FPrintF(stderr, "no corpus there: measured on testdata/manifests\n");
    AddFolder(root / "testdata" / "manifests" / "valid", &found);
  }
  std::vector<Source> sources;
  std::copy_if(found.begin(), found.end(), std::back_inserter(sources), Parses);
  return sources;
}

std::string GeneratedDeployment(int number) {
  return absl::StrFormat(
      "[[deployment]]\nname = \"web-%d\"\ndescription = \"number %d\"\ntags = [\"prod\"]\n"
      "[deployment.config]\nserver = \"edge-%d\"\nimage = \"registry.example.org/web:%d\"\n"
      "restart = \"unless-stopped\"\nenvironment = \"\"\"\nNUMBER = %d\nLEVEL = info\n\"\"\"\n"
      "ports = \"%d:80\"\n\n",
      number, number, number % 100, number, number, 1024 + number);
}

void MeasureAll(const char* corpus) {
  Measure("read_corpus", CorpusFiles(corpus), v1::DIALECT_KOMODO);
  std::vector<Source> small;
  std::string all;
  for (int i = 0; i < kGenerated; ++i) {
    small.push_back({absl::StrCat("web-", i, ".toml"), GeneratedDeployment(i)});
    absl::StrAppend(&all, small.back().content);
  }
  Measure(absl::StrCat("read_", kGenerated, "_files"), small, v1::DIALECT_TOML);
  Measure(absl::StrCat("read_file_of_", kGenerated), {{"all.toml", all}}, v1::DIALECT_TOML);
}

}  // namespace
}  // namespace fairlead::resources

int main(int argc, char** argv) {
  fairlead::resources::MeasureAll(argc > 1 ? argv[1] : nullptr);
  return 0;
}
