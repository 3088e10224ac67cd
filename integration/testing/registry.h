// Image registries of a test, where an engine can reach them.
#pragma once

#include <string>

#include "integration/testing/engine.h"
#include "integration/testing/process.h"

namespace fairlead::integration {

// Debian's docker-registry in the network of an engine, until destroyed. Confined to one thread.
class Registry {
 public:
  // Data and configuration go below `directory`; `port` is free in that network. With `password`
  // only the user "test" with it is let in.
  Registry(const Engine& engine, std::string directory, int port, std::string password = {});

  // "" when it can run, else why not.
  static std::string WhyNot();

  // "127.0.0.1:5001"
  std::string domain() const;
  // Whether it holds the tag, by its files.
  bool Has(const std::string& repository, const std::string& tag) const;
  // Pushes an image team/app:TAG, fl/app:1 with a layer of its own for each variant. The engine
  // does not keep it.
  void Fill(const std::string& tag, int variant = 1) const;

 private:
  const Engine& engine_;
  const std::string directory_;
  const int port_;
  const std::string password_;
  Process process_;
};

// A proxy before a registry that fails as it is told. Confined to one thread.
class FaultProxy {
 public:
  FaultProxy(const Engine& engine, const std::string& directory, int port, int target_port);

  std::string domain() const;
  // The next `times` requests that change something: "500" and "429" answer with it, "cut" closes
  // the connection in the middle of the request.
  void Fail(const std::string& how, int times) const { FailAt("push", how, times); }
  // The same of requests that read an image; "cut" ends layers in their middle.
  void FailPulls(const std::string& how, int times) const { FailAt("pull", how, times); }
  // Of those not yet failed.
  int Left() const;

 private:
  void FailAt(const std::string& what, const std::string& how, int times) const;

  const std::string file_;
  const int port_;
  Process process_;
};

}  // namespace fairlead::integration
