#include "controller/secrets/provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/testing/scratch_folder.h"

namespace fairlead::secrets {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using ::testing::HasSubstr;
using ::testing::Not;
using Tcp = asio::ip::tcp;

void Write(const std::string& path, const std::string& text, unsigned mode = 0600) {
  ASSERT_TRUE(base::WriteFileAtomically(path, text, mode).ok());
}

// Speaks what Vault speaks for KV version 2, one request at a time, on loopback.
class VaultServer {
 public:
  VaultServer() : acceptor_(context_, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    thread_ = std::thread([this] { Serve(); });
  }
  ~VaultServer() {
    stopping_ = true;
    // Wakes the accept.
    asio::io_context context;
    Tcp::socket socket(context);
    boost::system::error_code ignored;
    socket.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  std::string address() const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }
  std::atomic<bool> sealed = false;

 private:
  using Request = beast::http::request<beast::http::string_body>;
  using Response = beast::http::response<beast::http::string_body>;

  Response Answer(const Request& request) const {
    Response response;
    const auto say = [&](unsigned code, const std::string& body) {
      response.result(code);
      response.body() = body;
      response.prepare_payload();
      return response;
    };
    if (sealed) return say(503, R"({"errors":["Vault is sealed"]})");
    if (request["X-Vault-Token"] != "t0ken") return say(403, R"({"errors":["permission denied"]})");
    if (request.target() == "/v1/secret/data/app/my%20db") {
      return say(200, R"({"data":{"data":{"password":"s3cret","port":5432,"value":"plain"}}})");
    }
    if (request.target() == "/v1/kv1/data/x") return say(200, R"({"data":{"password":"old"}})");
    return say(404, R"({"errors":[]})");
  }

  void Serve() {
    while (true) {
      Tcp::socket socket(context_);
      boost::system::error_code failed;
      acceptor_.accept(socket, failed);
      if (stopping_) return;
      beast::flat_buffer buffer;
      Request request;
      beast::http::read(socket, buffer, request, failed);
      if (failed) continue;
      beast::http::write(socket, Answer(request), failed);
    }
  }

  asio::io_context context_;
  Tcp::acceptor acceptor_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

v1::SecretProvider SettingsOf(const std::string& type) {
  v1::SecretProvider settings;
  settings.set_name("box");
  settings.set_type(type);
  settings.set_mount("secret");
  settings.set_refresh(300);
  settings.set_timeout(10);
  return settings;
}

std::string MessageOf(const absl::StatusOr<std::string>& read) {
  return std::string(read.status().message());
}

TEST(VaultProviderTest, ReadsFieldsAndSaysWhatItCannot) {
  VaultServer server;
  const base::ScratchFolder folder;
  Write(folder.path() + "/token", "t0ken\n");
  v1::SecretProvider settings = SettingsOf("vault");
  settings.set_address(server.address() + "/");
  settings.set_token_file("token");
  const auto vault = MakeProvider(settings, folder.path());
  ASSERT_TRUE(vault.ok()) << vault.status();
  EXPECT_EQ((*vault)->Read("app/my db#password").value(), "s3cret");
  EXPECT_EQ((*vault)->Read("app/my db").value(), "plain");
  EXPECT_THAT(MessageOf((*vault)->Read("app/my db#none")), HasSubstr("no field \"none\""));
  EXPECT_THAT(MessageOf((*vault)->Read("app/my db#port")), HasSubstr("is no text"));
  EXPECT_TRUE(absl::IsNotFound((*vault)->Read("other#x").status()));
  // The token is read each time: it may have been renewed.
  Write(folder.path() + "/token", "stale");
  EXPECT_TRUE(absl::IsPermissionDenied((*vault)->Read("app/my db#password").status()));
  Write(folder.path() + "/token", "t0ken");
  server.sealed = true;
  const auto sealed = (*vault)->Read("app/my db#password");
  EXPECT_TRUE(absl::IsUnavailable(sealed.status()));
  EXPECT_THAT(MessageOf(sealed), HasSubstr("vault is sealed"));
  EXPECT_THAT(MessageOf(sealed), Not(HasSubstr("t0ken")));
  server.sealed = false;
  ASSERT_EQ(::chmod((folder.path() + "/token").c_str(), 0644), 0);
  EXPECT_THAT(MessageOf((*vault)->Read("app/my db")), HasSubstr("chmod 600"));
}

TEST(VaultProviderTest, SaysThatTheMountIsOfAnotherVersion) {
  VaultServer server;
  const base::ScratchFolder folder;
  Write(folder.path() + "/token", "t0ken");
  v1::SecretProvider settings = SettingsOf("vault");
  settings.set_address(server.address());
  settings.set_mount("kv1");
  settings.set_token_file("token");
  EXPECT_THAT(MessageOf((*MakeProvider(settings, folder.path()))->Read("x#password")),
              HasSubstr("version 2"));
}

TEST(VaultProviderTest, NobodyAnswersOrTheAddressIsInClear) {
  const base::ScratchFolder folder;
  Write(folder.path() + "/token", "t0ken");
  v1::SecretProvider settings = SettingsOf("vault");
  settings.set_address("http://127.0.0.1:1");
  settings.set_token_file("token");
  EXPECT_TRUE(absl::IsUnavailable((*MakeProvider(settings, folder.path()))->Read("x").status()));
  for (const char* address :
       {"http://vault.example.com:8200", "http://localhost.example.com", "http://127.0.0.1.example",
        "http://127.0.0.1@example.com", "http://127.example.com:8200", "localhost:8200"}) {
    settings.set_address(address);
    EXPECT_THAT(std::string(MakeProvider(settings, folder.path()).status().message()),
                HasSubstr("must begin with https://"))
        << address;
  }
  for (const char* address : {"http://localhost:8200/", "http://[::1]:8200", "http://127.9.9.9"}) {
    settings.set_address(address);
    EXPECT_TRUE(MakeProvider(settings, folder.path()).ok()) << address;
  }
}

TEST(CommandProviderTest, GivesWhatTheProgramPrints) {
  v1::SecretProvider settings = SettingsOf("command");
  for (const char* word : {"sh", "-c", "printf '%s\\n' \"value of $1\"", "sh", "{}"}) {
    settings.add_command(word);
  }
  const auto command = *MakeProvider(settings, "");
  EXPECT_EQ(command->Read("db; rm -rf x").value(), "value of db; rm -rf x");
  EXPECT_TRUE(absl::IsInvalidArgument(command->Read("--version").status()));
}

TEST(CommandProviderTest, SaysHowTheProgramFailed) {
  v1::SecretProvider settings = SettingsOf("command");
  for (const char* word : {"sh", "-c", "echo locked >&2; exit 3"}) settings.add_command(word);
  EXPECT_THAT(MessageOf((*MakeProvider(settings, ""))->Read("x")),
              HasSubstr("sh ended with 3: locked"));
  settings.clear_command();
  settings.add_command("no-such-program-here");
  EXPECT_TRUE(absl::IsNotFound((*MakeProvider(settings, ""))->Read("x").status()));
  settings.clear_command();
  for (const char* word : {"sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x"}) {
    settings.add_command(word);
  }
  EXPECT_TRUE(absl::IsInvalidArgument((*MakeProvider(settings, ""))->Read("x").status()));
  settings.clear_command();
  settings.add_command("cat");
  settings.add_command("/dev/full");
  settings.set_timeout(1);
  settings.clear_command();
  for (const char* word : {"tail", "-f", "/dev/null"}) settings.add_command(word);
  EXPECT_TRUE(absl::IsDeadlineExceeded((*MakeProvider(settings, ""))->Read("x").status()));
}

TEST(FileProviderTest, StaysInItsFolder) {
  const base::ScratchFolder folder;
  std::filesystem::create_directories(folder.path() + "/secrets/app");
  Write(folder.path() + "/secrets/app/db", "s3cret\r\n");
  Write(folder.path() + "/outside", "no");
  std::filesystem::create_symlink("../outside", folder.path() + "/secrets/link");
  v1::SecretProvider settings = SettingsOf("file");
  settings.set_directory("secrets");
  const auto files = *MakeProvider(settings, folder.path());
  EXPECT_EQ(files->Read("app/db").value(), "s3cret");
  EXPECT_TRUE(absl::IsNotFound(files->Read("app/none").status()));
  for (const std::string& path :
       std::vector<std::string>{"../outside", "link", "app/../../outside"}) {
    EXPECT_TRUE(absl::IsPermissionDenied(files->Read(path).status())) << path;
  }
  EXPECT_FALSE(files->Read(folder.path() + "/outside").ok());
  EXPECT_FALSE(files->Read("app").ok());
}

TEST(LoadProvidersTest, NamesWhatIsWrong) {
  const base::ScratchFolder folder;
  const std::string path = folder.path() + "/secrets.toml";
  const auto load = [&](const std::string& text) {
    Write(path, text);
    const auto providers = LoadProviders(path);
    return providers.ok() ? std::string("fine") : std::string(providers.status().message());
  };
  EXPECT_EQ(load("[[provider]]\nname = \"f\"\ntype = \"file\"\ndirectory = \"x\"\n"), "fine");
  EXPECT_THAT(load("[[provider]]\nname = \"f\"\ntype = \"file\"\n"),
              HasSubstr("needs `directory`"));
  EXPECT_THAT(load("[[provider]]\nname = \"f\"\ntype = \"fiel\"\n"),
              HasSubstr("is none of command, file, vault"));
  EXPECT_THAT(load("[[provider]]\nname = \"a:b\"\ntype = \"file\"\n"), HasSubstr("cannot be"));
  EXPECT_THAT(load("[[provider]]\nnmae = \"f\"\n"), HasSubstr("secrets.toml:2"));
  const std::string twice = "[[provider]]\nname = \"f\"\ntype = \"file\"\ndirectory = \"x\"\n";
  EXPECT_THAT(load(twice + twice), HasSubstr("stands twice"));
  EXPECT_THAT(load(twice + "refresh = 0\n"), HasSubstr("above 0"));
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(LoadProviders(path).status()));
}

}  // namespace
}  // namespace fairlead::secrets
