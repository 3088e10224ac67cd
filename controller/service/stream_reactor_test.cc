#include "controller/service/stream_reactor.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "base/mutex.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Feed = StreamFeed<v1::WatchResponse>;

v1::WatchResponse EventNamed(const std::string& name) {
  v1::WatchResponse response;
  response.mutable_event()->set_message(name);
  return response;
}

// Opens or not; a test waits for it.
class Gate {
 public:
  void Open() {
    base::MutexLock lock(mutex_);
    open_ = true;
    opened_.SignalAll();
  }
  bool Wait() {
    base::MutexLock lock(mutex_);
    while (!open_) {
      if (!opened_.WaitFor(mutex_, absl::Seconds(20))) return false;
    }
    return true;
  }

 private:
  base::Mutex mutex_;
  base::CondVar opened_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

// Gives every call the one feed of the test.
class FeedService final : public v1::EventService::CallbackService {
 public:
  FeedService(std::shared_ptr<Feed> feed, Gate& called, Gate& ended)
      : feed_(std::move(feed)), called_(called), ended_(ended) {}

  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext*,
                                                     const v1::WatchRequest*) override {
    auto* reactor = new StreamReactor<v1::WatchResponse>(feed_, [this] { ended_.Open(); });
    called_.Open();
    return reactor;
  }

 private:
  const std::shared_ptr<Feed> feed_;
  Gate& called_;
  Gate& ended_;
};

class StreamReactorTest : public ::testing::Test {
 protected:
  void Start(std::size_t limit) {
    feed_ = std::make_shared<Feed>(limit);
    service_ = std::make_unique<FeedService>(feed_, called_, ended_);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    stub_ = v1::EventService::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                                          grpc::InsecureChannelCredentials()));
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  }
  void Call() {
    reader_ = stub_->Watch(&context_, v1::WatchRequest());
    ASSERT_TRUE(called_.Wait());
  }
  // The names that come until the end of the stream.
  std::vector<std::string> ReadAll() {
    std::vector<std::string> names;
    v1::WatchResponse response;
    while (reader_->Read(&response)) names.push_back(response.event().message());
    return names;
  }

  Gate called_;
  Gate ended_;
  std::shared_ptr<Feed> feed_;
  std::unique_ptr<FeedService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::EventService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader_;
};

TEST_F(StreamReactorTest, ResponsesArriveInOrderBeforeTheStatus) {
  Start(100);
  // What is sent before the call is there waits for it.
  EXPECT_TRUE(feed_->Send(EventNamed("early")));
  Call();
  EXPECT_TRUE(feed_->Send(EventNamed("one")));
  EXPECT_TRUE(feed_->Send(EventNamed("two")));
  feed_->Close(grpc::Status(grpc::StatusCode::OUT_OF_RANGE, "no more"));
  EXPECT_THAT(ReadAll(), ElementsAre("early", "one", "two"));
  const grpc::Status status = reader_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(status.error_message(), "no more");
  EXPECT_TRUE(ended_.Wait());
}

TEST_F(StreamReactorTest, NothingIsTakenAfterClose) {
  Start(100);
  Call();
  feed_->Close(grpc::Status::OK);
  EXPECT_TRUE(feed_->ended());
  EXPECT_FALSE(feed_->Send(EventNamed("late")));
  feed_->Close(grpc::Status(grpc::StatusCode::INTERNAL, "second close"));
  EXPECT_THAT(ReadAll(), IsEmpty());
  EXPECT_TRUE(reader_->Finish().ok());
}

TEST_F(StreamReactorTest, CancelledCallEndsTheFeed) {
  Start(100);
  Call();
  context_.TryCancel();
  ASSERT_TRUE(ended_.Wait());
  EXPECT_FALSE(feed_->Send(EventNamed("late")));
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(StreamReactorTest, ReaderThatIsTooSlowIsToldSo) {
  Start(4);
  Call();
  const v1::WatchResponse large = EventNamed(std::string(1 << 20, 'x'));
  int sent = 0;
  while (sent < 1000 && feed_->Send(large)) ++sent;
  EXPECT_GE(sent, 4);
  EXPECT_LT(sent, 1000);
  EXPECT_TRUE(feed_->ended());
  // It gets what was taken, then the reason.
  EXPECT_EQ(ReadAll().size(), static_cast<std::size_t>(sent));
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(StreamReactorTest, ServerShutdownEndsOpenStreams) {
  Start(100);
  Call();
  server_->Shutdown(std::chrono::system_clock::now());
  EXPECT_TRUE(ended_.Wait());
  EXPECT_FALSE(reader_->Finish().ok());
}

}  // namespace
}  // namespace fairlead::service
