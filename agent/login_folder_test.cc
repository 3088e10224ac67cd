#include "agent/login_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/testing/scratch_folder.h"

namespace fairlead::agent {
namespace {

v1::Login LoginAt(const std::string& domain) {
  v1::Login login;
  login.set_domain(domain);
  login.set_username("ann");
  login.set_secret("pass:word");
  return login;
}

Logins LoginsAt(const std::string& domain) {
  Logins logins;
  *logins.Add() = LoginAt(domain);
  return logins;
}

TEST(LoginFolderTest, TheFileIsThereOnlyWhileItIsNeededAndForNobodyElse) {
  const base::ScratchFolder folder;
  const std::string directory = folder.path() + "/docker-config";
  ::setenv("DOCKER_CONFIG", folder.path().c_str(), 1);
  {
    LoginFolder config(directory);
    ASSERT_TRUE(config.Write({}).ok());
    EXPECT_EQ(config.variable(), "");
    EXPECT_FALSE(std::filesystem::exists(directory));
    ASSERT_TRUE(config.Write(LoginsAt("a.example.com")).ok());
    EXPECT_EQ(config.variable(), directory);
    struct stat status{};
    ASSERT_EQ(::stat((directory + "/config.json").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0600u);
    ASSERT_EQ(::stat(directory.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0700u);
  }
  EXPECT_FALSE(std::filesystem::exists(directory));
  ::unsetenv("DOCKER_CONFIG");
}

TEST(LoginFolderTest, WhatACrashLeftIsRemoved) {
  const base::ScratchFolder folder;
  const std::string directory = folder.path() + "/docker-config";
  ASSERT_TRUE(base::MakeDirectories(directory).ok());
  ASSERT_TRUE(base::WriteFileAtomically(directory + "/config.json", "secret").ok());
  const LoginFolder config(directory);
  EXPECT_FALSE(std::filesystem::exists(directory));
}

}  // namespace
}  // namespace fairlead::agent
