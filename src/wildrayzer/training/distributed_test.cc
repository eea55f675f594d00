// Two real processes on the loopback interface: this executable starts itself with a task in the environment.
#include "wildrayzer/training/distributed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <torch/serialize.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

#include "wildrayzer/testing/generator.h"
#include "wildrayzer/testing/golden.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;
using testing::GeneratedTensor;
using testing::RelativeError;
using torch::Tensor;

constexpr int kFailed = 7;  // exit code of a worker that was told of a lost process

// ---- what the workers do

NamedParameters MakeParameters(const std::string& seed) {
  const auto make = [&](const std::string& name, const std::vector<int64_t>& shape) {
    return std::make_pair(name, GeneratedTensor(seed + name, shape, 0.3).set_requires_grad(true));
  };
  return {make("first", {33, 12}), make("bias", {33}), make("second", {7, 33}), make("unused", {5}),
          make("only_rank_1", {3})};
}

// Mean over the samples, as the training losses are.
Tensor Loss(const NamedParameters& p, int64_t begin, int64_t end) {
  const Tensor x = GeneratedTensor("distributed/x", {8, 12}).slice(0, begin, end);
  const Tensor hidden = torch::tanh(torch::linear(x, p[0].second, p[1].second));
  return torch::linear(hidden, p[2].second).square().mean();
}

void Average(ProcessGroup& group, const std::string& folder) {
  // Other weights in each process, until rank 0's are shared; one of them bfloat16 and transposed.
  const NamedParameters parameters = MakeParameters("rank" + std::to_string(group.rank()));
  Tensor half = GeneratedTensor("half" + std::to_string(group.rank()), {4, 6}).to(torch::kBFloat16).t();
  std::vector<Tensor> tensors{half};
  for (const auto& [name, parameter] : parameters) tensors.push_back(parameter);
  group.Broadcast(tensors);
  for (int round = 0; round < 3; ++round) {  // the buffers are used again
    for (const auto& [name, parameter] : parameters) parameter.mutable_grad() = Tensor();
    Loss(parameters, 4 * group.rank(), 4 * group.rank() + 4).backward();
    if (group.rank() == 1) parameters[4].second.mutable_grad() = torch::full({3}, 6.0f);
    group.AverageGradients(parameters);
  }
  const std::vector<double> sums = group.AllReduceSum({1.0 + group.rank(), 10.0});
  group.Barrier();
  std::vector<Tensor> results{half, torch::tensor(sums, torch::kFloat64),
                              torch::tensor(parameters[3].second.grad().defined() ? 1 : 0)};
  for (const size_t i : {0, 1, 2, 4}) results.push_back(parameters[i].second.grad().clone());
  torch::save(results, folder + "/rank" + std::to_string(group.rank()));
}

// One process (VICTIM) ends or hangs after the first exchange; the other goes on.
void Lose(ProcessGroup& group, int signal) {
  const NamedParameters parameters = MakeParameters("rank0");
  for (int step = 0; step < 50; ++step) {
    if (step == 1 && group.rank() == std::atoi(std::getenv("VICTIM"))) ::raise(signal);
    Loss(parameters, 0, 4).backward();
    group.AverageGradients(parameters);
  }
}

TEST(Worker, Run) {
  const char* task = std::getenv("WRZ_TEST_TASK");
  if (task == nullptr) GTEST_SKIP() << "only for the processes that the other tests start";
  try {
    ProcessGroupOptions options;
    options.timeout = std::chrono::milliseconds(std::atoi(std::getenv("WRZ_TEST_TIMEOUT_MS")));
    options.bucket_bytes = 1000;  // several buckets
    ProcessGroup group(ReadProcessEnvironment(), torch::kCPU, options);
    const std::string name = task;
    if (name == "average") Average(group, std::getenv("WRZ_TEST_FOLDER"));
    if (name == "kill") Lose(group, SIGKILL);
    if (name == "stop") Lose(group, SIGSTOP);
  } catch (const Error& error) {
    std::ofstream(std::string(std::getenv("WRZ_TEST_FOLDER")) + "/error") << error.what();
    std::exit(kFailed);
  }
}

// ---- starting them

// A port that was free a moment ago.
int FreePort() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

class Distributed : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("wrz_distributed_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    port_ = FreePort();
  }

  void TearDown() override {
    for (const auto& [rank, pid] : pids_) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    fs::remove_all(folder_);
  }

  void Start(int rank, const std::string& task, int timeout_ms, int victim = -1) {
    const std::map<std::string, std::string> variables{{"RANK", std::to_string(rank)},
                                                       {"WORLD_SIZE", "2"},
                                                       {"MASTER_ADDR", "127.0.0.1"},
                                                       {"MASTER_PORT", std::to_string(port_)},
                                                       {"WRZ_TEST_TASK", task},
                                                       {"WRZ_TEST_FOLDER", folder_.string()},
                                                       {"WRZ_TEST_TIMEOUT_MS", std::to_string(timeout_ms)},
                                                       {"VICTIM", std::to_string(victim)}};
    const std::string self = fs::read_symlink("/proc/self/exe").string();
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
      ::execl(self.c_str(), self.c_str(), "--gtest_filter=Worker.Run", nullptr);
      ::_exit(127);
    }
    pids_[rank] = pid;
  }

  // Exit code, or -signal; -1000 when the process is still there after a minute.
  int Wait(int rank) {
    const auto end = steady_clock::now() + std::chrono::minutes(1);
    int status = 0;
    while (::waitpid(pids_[rank], &status, WNOHANG) == 0) {
      if (steady_clock::now() > end) return -1000;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    pids_.erase(rank);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  std::string ErrorText() const {
    std::ostringstream text;
    text << std::ifstream(folder_ / "error").rdbuf();
    return text.str();
  }

  fs::path folder_;
  int port_ = 0;
  std::map<int, pid_t> pids_;
};

TEST_F(Distributed, TwoHalvesOfABatchEqualTheWhole) {
  Start(0, "average", 60000);
  Start(1, "average", 60000);
  ASSERT_EQ(Wait(0), 0) << ErrorText();
  ASSERT_EQ(Wait(1), 0) << ErrorText();
  const NamedParameters whole = MakeParameters("rank0");
  Loss(whole, 0, 8).backward();
  std::vector<Tensor> ranks[2];
  for (const int rank : {0, 1}) {
    torch::load(ranks[rank], (folder_ / ("rank" + std::to_string(rank))).string());
    const std::vector<Tensor>& got = ranks[rank];
    EXPECT_TRUE(torch::equal(got[0], GeneratedTensor("half0", {4, 6}).to(torch::kBFloat16).t()));
    EXPECT_EQ(got[1][0].item<double>(), 3.0);
    EXPECT_EQ(got[1][1].item<double>(), 20.0);
    EXPECT_EQ(got[2].item<int>(), 0) << "no process has a gradient for it";
    // Sums in another order: a few float32 roundings.
    for (const size_t i : {0, 1, 2}) EXPECT_LT(RelativeError(got[3 + i], whole[i].second.grad()), 1e-6) << i;
    EXPECT_TRUE(torch::equal(got[6], torch::full({3}, 3.0f))) << "zero in the other process";
  }
  for (size_t i = 3; i < 7; ++i) EXPECT_TRUE(torch::equal(ranks[0][i], ranks[1][i])) << "the same bits";
}

TEST_F(Distributed, AKilledProcessEndsTheOtherWithOneLine) {
  for (const int victim : {1, 0}) {  // rank 0 also keeps the meeting point
    port_ = FreePort();
    Start(0, "kill", 50000, victim);
    Start(1, "kill", 50000, victim);
    EXPECT_EQ(Wait(victim), -SIGKILL);
    const auto killed = steady_clock::now();
    EXPECT_EQ(Wait(1 - victim), kFailed);
    EXPECT_LT(steady_clock::now() - killed, std::chrono::seconds(20)) << "did not wait for the timeout";
    EXPECT_THAT(ErrorText(),
                ::testing::HasSubstr("process " + std::to_string(1 - victim) + " of 2 lost another"));
    EXPECT_THAT(ErrorText(), ::testing::HasSubstr("--resume"));
    EXPECT_EQ(ErrorText().find('\n'), std::string::npos);
  }
}

TEST_F(Distributed, ASilentProcessEndsTheOtherAfterTheTimeout) {
  Start(0, "stop", 3000, 1);
  Start(1, "stop", 3000, 1);
  EXPECT_EQ(Wait(0), kFailed);
  EXPECT_THAT(ErrorText(), ::testing::HasSubstr("process 0 of 2 lost another"));
}

TEST_F(Distributed, AProcessThatNeverComesIsReported) {
  Start(0, "average", 2000);
  EXPECT_EQ(Wait(0), kFailed);
  EXPECT_THAT(ErrorText(), ::testing::HasSubstr("process 0 of 2 could not meet the others at 127.0.0.1:"));
  EXPECT_EQ(ErrorText().find('\n'), std::string::npos);
  Start(1, "average", 2000);
  EXPECT_EQ(Wait(1), kFailed);
  EXPECT_THAT(ErrorText(), ::testing::HasSubstr("process 1 of 2 could not meet the others"));
}

TEST(ProcessGroup, OneProcessIsOnItsOwn) {
  ProcessGroup group(ProcessEnvironment{});
  EXPECT_TRUE(group.is_main());
  EXPECT_EQ(group.world_size(), 1);
  const NamedParameters parameters = MakeParameters("one");
  Loss(parameters, 0, 8).backward();
  const Tensor before = parameters[0].second.grad().clone();
  group.AverageGradients(parameters);
  EXPECT_TRUE(torch::equal(parameters[0].second.grad(), before));
  EXPECT_EQ(group.AllReduceSum({2.5}), std::vector<double>{2.5});
  group.Broadcast({before});
  group.Barrier();
}

// ---- the environment

ProcessEnvironment Read(const std::map<std::string, std::string>& variables) {
  return ReadProcessEnvironment([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

using Variables = std::map<std::string, std::string>;

TEST(ProcessEnvironment, ReadsWhatTorchrunSets) {
  EXPECT_EQ(Read({}).world_size, 1);
  EXPECT_EQ(Read({{"RANK", "0"}, {"WORLD_SIZE", "1"}}).rank, 0);
  const Variables variables{{"RANK", "3"},
                            {"WORLD_SIZE", "4"},
                            {"LOCAL_RANK", "1"},
                            {"MASTER_ADDR", "node1"},
                            {"MASTER_PORT", "29500"},
                            {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                            {"TORCHELASTIC_RESTART_COUNT", "2"}};
  const ProcessEnvironment read = Read(variables);
  EXPECT_EQ(read.rank, 3);
  EXPECT_EQ(read.local_rank, 1);
  EXPECT_EQ(read.world_size, 4);
  EXPECT_EQ(read.master_address, "node1");
  EXPECT_EQ(read.master_port, 29500);
  EXPECT_TRUE(read.launcher_listens);
  EXPECT_EQ(read.attempt, "2");
}

TEST(ProcessEnvironment, NamesWhatIsWrong) {
  const Variables good{{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "1234"}};
  EXPECT_EQ(Read(good).world_size, 2);
  const auto refused = [&](const std::string& name, const std::string& value) {
    Variables variables = good;
    variables[name] = value;
    try {
      Read(variables);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  for (const auto& [name, values] : std::map<std::string, std::vector<std::string>>{
           {"RANK", {"", "2", "-1", "one", "0x1", "1 ", "99999999999999999999"}},
           {"WORLD_SIZE", {"", "0", "-2", "2.0", "1e9", "100000"}},
           {"LOCAL_RANK", {"x", "2", "-1"}},
           {"MASTER_ADDR", {""}},
           {"MASTER_PORT", {"", "0", "65536", "http"}}}) {
    for (const std::string& value : values)
      EXPECT_THAT(refused(name, value), ::testing::HasSubstr("environment variable " + name)) << value;
  }
}

}  // namespace
}  // namespace wildrayzer
