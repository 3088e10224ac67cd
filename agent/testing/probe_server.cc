#include "agent/testing/probe_server.h"

#include <algorithm>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include "absl/strings/str_cat.h"

namespace fairlead::agent {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

}  // namespace

struct ProbeServer::Loop {
  asio::io_context io{1};
  tcp::acceptor acceptor{io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
};

struct ProbeServer::Guest {
  Guest(ProbeServer& its_server, tcp::socket its_socket)
      : server(its_server), socket(std::move(its_socket)) {
    base::MutexLock lock(server.mutex_);
    server.most_open_ = std::max(server.most_open_, ++server.open_);
  }
  ~Guest() {
    base::MutexLock lock(server.mutex_);
    --server.open_;
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  ProbeServer& server;
  tcp::socket socket;
  std::string received;
  std::string answer;
};

ProbeServer::ProbeServer()
    : loop_(std::make_unique<Loop>()),
      port_(loop_->acceptor.local_endpoint().port()),
      answer_(AnswerOf("200 OK")) {
  Accept();
  thread_ = std::thread([this] { loop_->io.run(); });
}

ProbeServer::~ProbeServer() {
  loop_->io.stop();
  thread_.join();
}

void ProbeServer::SetAnswer(const std::string& answer) {
  base::MutexLock lock(mutex_);
  answer_ = answer;
}

std::vector<std::string> ProbeServer::Requests() const {
  base::MutexLock lock(mutex_);
  return requests_;
}

std::size_t ProbeServer::MostAtOnce() const {
  base::MutexLock lock(mutex_);
  return most_open_;
}

void ProbeServer::Accept() {
  loop_->acceptor.async_accept([this](error_code error, tcp::socket socket) {
    if (!error) Serve(std::make_shared<Guest>(*this, std::move(socket)));
    Accept();
  });
}

void ProbeServer::Serve(const std::shared_ptr<Guest>& guest) {
  asio::async_read_until(guest->socket, asio::dynamic_buffer(guest->received), "\r\n\r\n",
                         [this, guest](error_code error, std::size_t) {
                           if (error) return;
                           {
                             base::MutexLock lock(mutex_);
                             requests_.push_back(guest->received);
                             guest->answer = answer_;
                           }
                           if (guest->answer.empty()) {
                             // Silent until the other end goes.
                             asio::async_read_until(
                                 guest->socket, asio::dynamic_buffer(guest->received), "never sent",
                                 [guest](error_code, std::size_t) {});
                             return;
                           }
                           asio::async_write(guest->socket, asio::buffer(guest->answer),
                                             [guest](error_code, std::size_t) {});
                         });
}

std::string AnswerOf(const std::string& status) {
  return absl::StrCat("HTTP/1.1 ", status, "\r\nContent-Length: 5\r\n\r\nhello");
}

}  // namespace fairlead::agent
