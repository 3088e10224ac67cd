#include "agent/record_storage.h"

#include "base/file.h"

namespace fairlead::agent {

RecordStorage FileStorage(const std::string& path) {
  return {
      .name = path,
      .read = [path] { return base::ReadFile(path); },
      .write = [path](const std::string& text) { return base::WriteFileAtomically(path, text); }};
}

}  // namespace fairlead::agent
