#include "sync/testing/world_text.h"

#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "resources/container_spec.h"
#include "resources/toml_reader.h"
#include "sync/made.h"
#include "sync/vitals.h"

namespace fairlead::sync {
namespace {

using resources::ResourceId;

constexpr absl::string_view kSections[] = {"environment", "image", "networks"};

// The words of a line: positional ones and key=value ones; quotes keep spaces together.
struct Words {
  std::vector<std::string> plain;
  std::map<std::string, std::string> named;

  std::string Get(const std::string& name, const std::string& fallback = "") const {
    const auto it = named.find(name);
    return it == named.end() ? fallback : it->second;
  }
  bool Has(const std::string& name) const { return named.contains(name); }
  std::string At(size_t i) const { return i < plain.size() ? plain[i] : ""; }
};

Words SplitWords(absl::string_view line) {
  Words words;
  std::vector<std::string> parts;
  std::string current;
  bool quoted = false;
  bool any = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted) {
      if (any) parts.push_back(current);
      current.clear();
      any = false;
    } else {
      current.push_back(c);
      any = true;
    }
  }
  if (any) parts.push_back(current);
  for (const std::string& part : parts) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos) {
      words.plain.push_back(part);
    } else {
      words.named[part.substr(0, equals)] = part.substr(equals + 1);
    }
  }
  return words;
}

std::vector<std::string> List(const std::string& text) {
  return absl::StrSplit(text, ',', absl::SkipEmpty());
}

// Reads a world line by line.
class WorldReader {
 public:
  absl::Status Read(absl::string_view text);
  World Finish();

 private:
  absl::Status ReadLine(const Words& words);
  absl::Status ReadRuns(const Words& words);
  absl::Status ReadContainer(const Words& words);
  absl::Status ReadInventory(const Words& words);
  absl::Status ReadProject(const Words& words);
  absl::Status ReadMemory(const Words& words);
  absl::Status ReadMade(const Words& words);
  void ReadHost(const Words& words);
  void BeginBlock(const Words& words);
  void EndBlock();
  void Declare();

  absl::Time TimeOf(const std::string& seconds) const;
  // "now", "old" or a hash.
  std::string HashOf(const std::string& text, const std::string& resource);
  const DesiredResource* Find(const std::string& which, const std::string& resource);
  HostLive& Host(const std::string& server);
  v1::Container MakeContainer(const Words& words, const std::string& resource);
  void AddProject(const std::string& resource, const std::string& server, const Words& words,
                  const std::string& hash);

  World world_;
  std::set<std::string> unread_;
  std::map<std::string, std::string> owners_;
  SourceText block_;
  bool in_block_ = false;
  bool block_is_old_ = false;
  std::vector<std::shared_ptr<const SourceSnapshot>> old_sources_;
  std::shared_ptr<const DesiredState> old_;
  std::map<std::string, HostLive> hosts_;
  std::map<std::string, v1::InventoryEntry> inventory_;
  // Deployments with the image of "now@IMAGE", kept while something refers to them.
  std::vector<std::unique_ptr<DesiredResource>> filled_;
  int containers_ = 0;
};

absl::Time WorldReader::TimeOf(const std::string& seconds) const {
  double value = 0;
  if (seconds == "never" || !absl::SimpleAtod(seconds, &value)) return absl::InfiniteFuture();
  return world_.input.now + absl::Seconds(value);
}

void WorldReader::BeginBlock(const Words& words) {
  in_block_ = true;
  block_is_old_ = words.At(0) == "old";
  block_ = SourceText();
  block_.name = block_is_old_ ? "main" : words.At(1);
  const bool plain = block_.name == "bootstrap" || block_.name == "api";
  block_.origin = plain ? block_.name : absl::StrCat("resource_sync/", block_.name);
  block_.revision = words.Get("revision", block_is_old_ ? "r0" : "r1");
  block_.prune = words.Get("prune") == "true";
  block_.approval = words.Get("approval") == "true";
  block_.prune_blocker = words.Get("blocker");
  block_.match_tags = List(words.Get("tags"));
  if (words.Get("dialect") == "komodo") block_.dialect = v1::DIALECT_KOMODO;
  block_.files[absl::StrCat(block_.name, ".toml")] = "";
}

void WorldReader::EndBlock() {
  in_block_ = false;
  (block_is_old_ ? old_sources_ : world_.sources).push_back(ReadSource(block_));
}

// Desired state is built when the first line asks for it: all blocks come before.
void WorldReader::Declare() {
  if (world_.input.desired != nullptr) return;
  DesiredOptions options;
  options.unread_origins = unread_;
  options.owner = [this](const ResourceId& id) {
    const auto it = owners_.find(id.ToString());
    return it == owners_.end() ? std::string() : it->second;
  };
  world_.input.desired = BuildDesiredState(world_.sources, TestHasher(), options, nullptr);
  old_ = BuildDesiredState(old_sources_, TestHasher(), DesiredOptions(), nullptr);
}

const DesiredResource* WorldReader::Find(const std::string& which, const std::string& resource) {
  Declare();
  if (const std::size_t at = which.find('@'); at != std::string::npos) {
    const DesiredResource* plain = Find(which.substr(0, at), resource);
    if (plain == nullptr) return nullptr;
    auto filled = std::make_unique<DesiredResource>(*plain);
    const std::string image = which.substr(at + 1);
    filled->image_build =
        absl::StrCat("build/", plain->spec->deployment().image().build().build_id());
    filled->spec = std::make_shared<const v1::Resource>(WithImage(*plain->spec, image));
    filled->spec_hash = TestHasher().Hash(WithImage(*plain->resolved, image));
    filled_.push_back(std::move(filled));
    return filled_.back().get();
  }
  const DesiredState& state = which == "old" ? *old_ : *world_.input.desired;
  const auto id = ResourceId::Parse(resource);
  if (!id.has_value()) return nullptr;
  const auto it = state.resources.find(*id);
  return it == state.resources.end() ? nullptr : it->second.get();
}

std::string WorldReader::HashOf(const std::string& text, const std::string& resource) {
  if (text == "none") return "";
  if (text == "other") return absl::StrCat("v1:test:", TestHasher().HashText("other"));
  if (text == "foreign-key") return "v1:lost:00000000000000000000000000000000";
  const std::string which = text.substr(0, text.find('@'));
  if (which != "now" && which != "old") return text;
  const DesiredResource* declared = Find(text, resource);
  return declared == nullptr ? text : declared->spec_hash;
}

HostLive& WorldReader::Host(const std::string& server) {
  const auto [it, inserted] = hosts_.try_emplace(server);
  if (inserted) {
    it->second.server = server;
    it->second.online = it->second.engine_up = true;
    it->second.generation = 1;
  }
  return it->second;
}

void WorldReader::ReadHost(const Words& words) {
  HostLive& host = Host(words.At(1));
  for (const std::string& word : words.plain) {
    if (word == "offline") host.online = false;
    if (word == "engine-down") host.engine_up = false;
  }
  host.engine_error = words.Get("error");
  double offset = 0;
  if (absl::SimpleAtod(words.Get("offset"), &offset)) host.clock_offset = absl::Seconds(offset);
}

v1::Container WorldReader::MakeContainer(const Words& words, const std::string& resource) {
  const std::string id = words.Get("id", absl::StrCat("c", ++containers_));
  v1::Container container;
  container.set_id(id);
  container.set_image(words.Get("image", "img:1"));
  v1::ContainerState state = v1::CONTAINER_STATE_RUNNING;
  v1::ContainerState_Parse(
      absl::StrCat("CONTAINER_STATE_", absl::AsciiStrToUpper(words.Get("state", "running"))),
      &state);
  container.set_state(state);
  v1::ContainerHealth health = v1::CONTAINER_HEALTH_NONE;
  v1::ContainerHealth_Parse(
      absl::StrCat("CONTAINER_HEALTH_", absl::AsciiStrToUpper(words.Get("health", "none"))),
      &health);
  container.set_health(health);
  int number = 0;
  if (absl::SimpleAtoi(words.Get("exit"), &number)) container.set_exit_code(number);
  if (absl::SimpleAtoi(words.Get("restarts"), &number)) container.set_restart_count(number);
  container.set_killed(words.Get("killed") == "true");
  container.set_oom_killed(words.Get("oom") == "true");
  container.set_log_tail(words.Get("log"));
  container.set_health_failure(words.Get("why"));
  *container.mutable_created_at() = ToProto(TimeOf(words.Get("created", "-3600")));
  if (words.Get("started") != "none") {
    *container.mutable_started_at() = ToProto(TimeOf(words.Get("started", "-3600")));
  }
  if (words.Has("finished")) {
    *container.mutable_finished_at() = ToProto(TimeOf(words.Get("finished")));
  }
  container.set_restart_policy(words.Get("policy", "unless-stopped"));
  for (const std::string& port : List(words.Get("ports"))) container.add_host_ports(port);
  if (!resource.empty()) {
    container.set_installation(words.Get("installation", kTestInstallation));
    container.set_resource(resource);
    for (const absl::string_view section : kSections) {
      (*container.mutable_section_hash())[std::string(section)] = "as-made";
    }
    for (const std::string& section : List(words.Get("changed"))) {
      (*container.mutable_section_hash())[section] = "by-hand";
      container.add_changed_sections(section);
    }
  }
  container.set_compose_project(words.Get("project"));
  container.set_compose_service(words.Get("service"));
  return container;
}

absl::Status WorldReader::ReadContainer(const Words& words) {
  const std::string resource = words.Get("resource");
  v1::Container container = MakeContainer(words, resource);
  container.set_name(words.At(1));
  container.set_spec_hash(HashOf(words.Get("hash"), resource));
  HostLive& host = Host(words.Get("on", "edge-1"));
  host.containers[container.id()] = std::make_shared<const v1::Container>(container);
  return absl::OkStatus();
}

void WorldReader::AddProject(const std::string& resource, const std::string& server,
                             const Words& words, const std::string& hash) {
  v1::Project project;
  project.set_resource(resource);
  project.set_name(words.Get("name", resource.substr(resource.find('/') + 1)));
  project.set_spec_hash(hash);
  for (const std::string& text : List(words.Get("services", "app"))) {
    const std::vector<std::string> parts = absl::StrSplit(text, ':');
    v1::Project::Service* service = project.add_services();
    service->set_name(parts[0]);
    service->set_hash("as-made");
    service->set_replicas(1);
    service->set_ignored(parts.size() > 1 && parts[1] == "ignored");
  }
  Host(server).projects[resource] = std::make_shared<const v1::Project>(project);
}

absl::Status WorldReader::ReadProject(const Words& words) {
  AddProject(words.At(1), words.Get("on", "edge-1"), words,
             HashOf(words.Get("spec", "now"), words.At(1)));
  return absl::OkStatus();
}

// "runs deployment/web": applied, healthy and in the inventory, but for what the line says.
absl::Status WorldReader::ReadRuns(const Words& words) {
  const std::string resource = words.At(1);
  const std::string spec = words.Get("spec", "now");
  const DesiredResource* declared = Find(spec, resource);
  if (declared == nullptr) return absl::InvalidArgumentError("declared nowhere: " + resource);
  const std::string server = words.Get("on", declared->server);
  v1::Container container = MakeContainer(words, resource);
  if (declared->id.kind == "stack") {
    AddProject(resource, server, words, declared->spec_hash);
    for (const std::string& text : List(words.Get("services", "app"))) {
      v1::Container member = container;
      const std::string service = text.substr(0, text.find(':'));
      member.set_id(absl::StrCat(container.id(), "-", service));
      member.set_name(absl::StrCat(declared->docker_name, "-", service, "-1"));
      member.set_compose_project(declared->docker_name);
      member.set_compose_service(service);
      member.set_spec_hash("as-made");
      Host(server).containers[member.id()] = std::make_shared<const v1::Container>(member);
    }
  } else {
    container.set_name(words.Get("name", declared->docker_name));
    container.set_spec_hash(HashOf(words.Get("hash", spec), resource));
    Host(server).containers[container.id()] = std::make_shared<const v1::Container>(container);
  }
  if (words.Get("inventory") == "none") return absl::OkStatus();
  Words owned = words;
  owned.named.try_emplace("applied", spec);
  owned.named.try_emplace("good", spec);
  owned.named.try_emplace("container", container.id());
  owned.named["server"] = server;
  owned.named.erase("restarts");
  return ReadInventory(owned);
}

absl::Status WorldReader::ReadInventory(const Words& words) {
  const std::string resource = words.At(1);
  v1::InventoryEntry entry;
  entry.set_resource(resource);
  entry.set_origin(words.Get("origin", "resource_sync/main"));
  entry.set_server(words.Get("server", "edge-1"));
  entry.set_name(words.Get("name", resource.substr(resource.find('/') + 1)));
  if (const DesiredResource* applied = Find(words.Get("applied"), resource);
      words.Has("applied") && applied != nullptr) {
    *entry.mutable_applied() = *applied->spec;
    entry.set_applied_hash(applied->spec_hash);
    entry.set_build(applied->image_build);
    entry.set_applied_revision("r0");
    *entry.mutable_applied_at() = ToProto(TimeOf("-3600"));
    for (const ResourceId& id : applied->after) entry.add_after(id.ToString());
    for (const std::string& name : applied->missing_after) entry.add_after(name);
  }
  if (const DesiredResource* good = Find(words.Get("good"), resource);
      words.Has("good") && words.Get("good") != "none" && good != nullptr) {
    *entry.mutable_good() = *good->spec;
    entry.set_good_hash(good->spec_hash);
  }
  entry.set_container_id(words.Get("container"));
  if (words.Has("unseen")) {
    *entry.mutable_applied_at() = ToProto(TimeOf(words.Get("unseen")));
  } else {
    for (const absl::string_view section : kSections) {
      (*entry.mutable_section_hash())[std::string(section)] = "as-made";
    }
  }
  for (const std::string& at : List(words.Get("restarted"))) {
    *entry.add_restarts() = ToProto(TimeOf(at));
  }
  for (const std::string& dependency : List(words.Get("saw"))) {
    const std::vector<std::string> parts = absl::StrSplit(dependency, '@');
    (*entry.mutable_dependency_hash())[parts[0]] =
        HashOf(parts.size() > 1 ? parts[1] : "now", parts[0]);
  }
  double seconds = 0;
  if (absl::SimpleAtod(words.Get("took"), &seconds)) {
    (*entry.mutable_step_seconds())[v1::STEP_ACTION_REPLACE] = seconds;
  }
  inventory_[resource] = entry;
  return absl::OkStatus();
}

absl::Status WorldReader::ReadMemory(const Words& words) {
  const std::string resource = words.At(1);
  const std::string& what = words.plain[0];
  PlanInput& input = world_.input;
  if (what == "hold") {
    v1::Hold& hold = input.holds[resource];
    hold.set_resource(resource);
    hold.set_who(words.Get("who", "ana"));
    hold.set_why(words.Get("why", "maintenance"));
    if (words.Get("kind") == "pause") hold.set_kind(v1::Hold::KIND_PAUSE);
    if (words.Has("expires")) *hold.mutable_expires_at() = ToProto(TimeOf(words.Get("expires")));
  } else if (what == "failed") {
    v1::FailedSpec failed;
    failed.set_resource(resource);
    failed.set_spec_hash(HashOf(words.Get("spec", "now"), resource));
    if (const std::string dependent = words.Get("for"); !dependent.empty()) {
      failed.set_spec_hash(
          ProcedureNeed{dependent, HashOf("now", dependent)}.KeyOf(failed.spec_hash()));
    }
    failed.set_reason(words.Get("reason", "exited with 1"));
    failed.set_log_tail(words.Get("log"));
    failed.set_by(words.Get("by"));
    input.failed_specs[resource][failed.spec_hash()] = failed;
  } else if (what == "attempt" || what == "busy") {
    v1::StepAction action = v1::STEP_ACTION_NONE;
    if (!v1::StepAction_Parse(absl::StrCat("STEP_ACTION_", words.At(2)), &action)) {
      return absl::InvalidArgumentError("unknown action " + words.At(2));
    }
    if (what == "busy") {
      input.busy[resource] = action;
    } else {
      input.failed_attempts[resource] = {HashOf(words.Get("spec", "now"), resource), action,
                                         words.Get("message", "no space left"), 1,
                                         TimeOf(words.Get("until", "10"))};
    }
  } else if (what == "waits-for-preflight") {
    input.preflight_holds[resource] = {words.At(2), words.Get("reason")};
  } else if (what == "approved") {
    v1::Approval& approval = input.approvals[resource];
    const bool removal = words.At(2) == "removal";
    approval.set_action(removal ? v1::STEP_ACTION_PRUNE : v1::STEP_ACTION_REPLACE);
    if (!removal) approval.set_target_hash(HashOf(words.Get("spec", "now"), resource));
  } else if (what == "allow") {
    uint32_t count = 0;
    if (!absl::SimpleAtoi(words.At(2), &count)) {
      return absl::InvalidArgumentError("allow needs a count");
    }
    input.allow_delete[resource] = count;
  } else {
    return absl::InvalidArgumentError(absl::StrCat("unknown line \"", what, "\""));
  }
  return absl::OkStatus();
}

// What runs have left.
absl::Status WorldReader::ReadMade(const Words& words) {
  const std::string resource = words.At(1);
  PlanInput& input = world_.input;
  const std::string hash = HashOf(words.Get("spec", "now"), resource);
  if (words.plain[0] == "built") {
    v1::BuildRecord& record = input.builds[resource];
    record.set_resource(resource);
    const std::vector<std::string> numbers = absl::StrSplit(words.Get("version", "1.0.0"), '.');
    int32_t parts[3] = {};
    for (size_t i = 0; i < numbers.size() && i < 3; ++i) {
      if (!absl::SimpleAtoi(numbers[i], &parts[i])) {
        return absl::InvalidArgumentError("not a version");
      }
    }
    record.mutable_version()->set_major(parts[0]);
    record.mutable_version()->set_minor(parts[1]);
    record.mutable_version()->set_patch(parts[2]);
    record.set_image(words.Get("image"));
    record.add_references(words.Get("image"));
    record.set_server(words.Get("server", "edge-1"));
    record.set_pushed(words.Get("pushed") == "true");
    record.set_commit("4f2a91c7");
    record.set_spec_hash(hash);
  } else if (words.plain[0] == "checked-out") {
    v1::RepoRecord& record = input.repos[resource];
    record.set_resource(resource);
    record.set_server(words.Get("server", "edge-1"));
    record.set_directory(words.Get("directory", "/repos/site"));
    record.set_commit("4f2a91c7");
    record.set_spec_hash(hash);
  } else {
    v1::ProcedureRecord& record = input.procedures[resource];
    record.set_resource(resource);
    record.set_spec_hash(hash);
    for (const std::string& dependent : List(words.Get("for"))) {
      (*record.mutable_dependent_hash())[dependent] = HashOf(words.Get("of", "now"), dependent);
    }
  }
  return absl::OkStatus();
}

absl::Status WorldReader::ReadLine(const Words& words) {
  const std::string& what = words.plain[0];
  if (what == "toml" || what == "old") {
    BeginBlock(words);
    return absl::OkStatus();
  }
  if (what == "unread") {
    unread_.insert(words.At(1));
    return absl::OkStatus();
  }
  if (what == "owner") {
    owners_[words.At(1)] = words.At(2);
    return absl::OkStatus();
  }
  if (what == "host") {
    ReadHost(words);
    return absl::OkStatus();
  }
  if (what == "runs") return ReadRuns(words);
  if (what == "container") return ReadContainer(words);
  if (what == "project") return ReadProject(words);
  if (what == "inventory") return ReadInventory(words);
  if (what == "built" || what == "checked-out" || what == "ran") return ReadMade(words);
  return ReadMemory(words);
}

absl::Status WorldReader::Read(absl::string_view text) {
  world_.input.now = absl::FromUnixSeconds(1'700'000'000);
  world_.input.installation = kTestInstallation;
  world_.input.hasher = &TestHasher();
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (in_block_) {
      if (line == "end") {
        EndBlock();
      } else {
        absl::StrAppend(&block_.files.begin()->second, line, "\n");
      }
      continue;
    }
    const Words words = SplitWords(line);
    if (words.plain.empty() || words.plain[0][0] == '#') continue;
    RETURN_IF_ERROR(ReadLine(words), absl::StrCat("line ", number));
  }
  return in_block_ ? absl::InvalidArgumentError("a block has no end") : absl::OkStatus();
}

World WorldReader::Finish() {
  Declare();
  auto live = std::make_shared<LiveState>();
  for (const auto& [server, host] : hosts_) {
    live->hosts[server] = std::make_shared<const HostLive>(host);
  }
  world_.input.live = std::move(live);
  for (const auto& [resource, entry] : inventory_) {
    world_.input.inventory[resource] = std::make_shared<const v1::InventoryEntry>(entry);
  }
  world_.input.desired =
      FillImages(world_.input.desired, FindImageUsers(*world_.input.desired, nullptr, {}),
                 world_.input, nullptr);
  return std::move(world_);
}

}  // namespace

std::shared_ptr<const SourceSnapshot> ReadSource(const SourceText& text) {
  auto source = std::make_shared<SourceSnapshot>();
  source->origin = text.origin;
  source->name = text.name;
  source->revision = text.revision;
  source->subject = text.subject;
  source->dialect = text.dialect;
  source->prune = text.prune;
  source->approval = text.approval;
  source->prune_blocker = text.prune_blocker;
  source->filters.match_tags = text.match_tags;
  for (const auto& [path, content] : text.files) {
    source->files.push_back(std::make_shared<const resources::ParsedFile>(
        resources::ReadToml(path, content, text.dialect)));
  }
  return source;
}

const resources::SpecHasher& TestHasher() {
  static const resources::SpecHasher* const hasher =
      new resources::SpecHasher("test", std::string(32, 'k'));
  return *hasher;
}

absl::StatusOr<World> ReadWorld(absl::string_view text) {
  WorldReader reader;
  RETURN_IF_ERROR(reader.Read(text));
  return reader.Finish();
}

}  // namespace fairlead::sync
