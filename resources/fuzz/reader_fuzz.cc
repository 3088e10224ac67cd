// Whatever a file holds, reading it ends, what it says can be sent and printed, and what was read
// survives writing and reading.
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "base/testing/require.h"
#include "resources/problem_codes.h"
#include "resources/problem_text.h"
#include "resources/toml_reader.h"
#include "resources/toml_writer.h"

namespace fairlead::resources {
namespace {

using base::Require;

bool IsError(const v1::Problem& problem) { return problem.severity() == v1::SEVERITY_ERROR; }

void CheckProblem(const v1::Problem& problem, absl::string_view text) {
  const auto lines = static_cast<uint32_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  Require(problem.line() <= lines, "the line of a problem exists", text);
  Require(IndexOfProblemCode(problem.code()) < ProblemCodes().size(), "its code is known", text);
  Require(!problem.message().empty(), "a problem has a text", text);
  // Texts of messages must be UTF-8 to be read back.
  v1::Problem again;
  Require(again.ParseFromString(problem.SerializeAsString()), "a problem can be sent", text);
  Require(!FormatProblem(problem).empty(), "a problem can be printed", text);
}

void CheckWriting(const v1::Resource& resource, v1::Dialect dialect) {
  const std::string text = WriteToml(resource, dialect);
  const ParsedFile again = ReadToml("again.toml", text, dialect);
  // Notices, such as of a kind that is not acted on, stay.
  Require(std::none_of(again.problems.begin(), again.problems.end(), IsError) &&
              again.declarations.size() == 1,
          "what is written reads", text);
  const Declaration& declaration = again.declarations.front();
  Require(declaration.spec != nullptr, "what is written has no errors", text);
  Require(google::protobuf::util::MessageDifferencer::Equals(*declaration.spec, resource),
          "what is written reads back equal", text);
}

void CheckFile(absl::string_view text, v1::Dialect dialect) {
  const ParsedFile file = ReadToml("a.toml", text, dialect);
  for (const v1::Problem& problem : file.problems) CheckProblem(problem, text);
  for (const Declaration& declaration : file.declarations) {
    for (const v1::Problem& problem : declaration.problems) CheckProblem(problem, text);
    const auto& problems = declaration.problems;
    Require((declaration.spec == nullptr) == std::any_of(problems.begin(), problems.end(), IsError),
            "a resource is spoilt by an error and by nothing else", text);
    Require(!declaration.id.name.empty(), "a resource has a name", text);
    if (declaration.spec != nullptr) CheckWriting(*declaration.spec, dialect);
  }
  Require(!file.spoilt || file.declarations.empty(), "a spoilt file declares nothing", text);
  Require(!file.foreign || file.declarations.empty(), "a foreign file declares nothing", text);
}

}  // namespace
}  // namespace fairlead::resources

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(bytes), size);
  fairlead::resources::CheckFile(text, fairlead::v1::DIALECT_TOML);
  fairlead::resources::CheckFile(text, fairlead::v1::DIALECT_KOMODO);
  return 0;
}
