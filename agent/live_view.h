// What a reporter has last said of its host.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

// Holds containers and projects and tells what a new look changes. A value; confined to one
// thread.
class LiveView {
 public:
  // Makes the view equal to `containers` and `projects`; the delta is what that changes.
  v1::HostDelta Replace(const std::vector<v1::Container>& containers,
                        const std::vector<v1::Project>& projects);

  // Adds to `delta` if it says anything new.
  void Upsert(const v1::Container& container, v1::HostDelta& delta);
  void Remove(const std::string& id, v1::HostDelta& delta);

  // Null when it is not known.
  const v1::Container* Find(const std::string& id) const;
  // A project of that compose name was applied here.
  bool HasProject(const std::string& name) const;

  // Everything; reachability of the engine is left to the caller.
  v1::HostState State() const;

 private:
  std::map<std::string, v1::Container> containers_;
  // By resource.
  std::map<std::string, v1::Project> projects_;
};

bool IsEmpty(const v1::HostDelta& delta);

}  // namespace fairlead::agent
