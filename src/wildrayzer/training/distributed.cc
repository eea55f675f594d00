#include "wildrayzer/training/distributed.h"

#include <fmt/format.h>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/torch_version.h"
#ifdef WILDRAYZER_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

namespace wildrayzer {

using torch::Tensor;

#if WILDRAYZER_TORCH_2
using Transport = c10d::Backend;
#else
using Transport = c10d::ProcessGroup;
#endif

struct ProcessGroup::Connection {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<Transport> host;  // Gloo
  c10::intrusive_ptr<Transport> gpus;  // NCCL; null on the processor

  Transport& For(const Tensor& tensor) { return tensor.device().is_cuda() ? *gpus : *host; }
};

namespace {

using Work = decltype(std::declval<Transport>().allreduce(std::declval<std::vector<Tensor>&>()));

// LibTorch's messages carry a stack trace.
std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

auto Device(const ProcessEnvironment& environment) {
  if (!environment.interface.empty())
    return c10d::ProcessGroupGloo::createDeviceForInterface(environment.interface);
  // Processes of one machine need not know the name that the machine has in a network.
  const std::string& address = environment.master_address;
  if (address == "localhost" || address == "127.0.0.1")
    return c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1");
  return c10d::ProcessGroupGloo::createDefaultDevice();
}

c10::intrusive_ptr<Transport> BetweenGpus([[maybe_unused]] const c10::intrusive_ptr<c10d::Store>& store,
                                          [[maybe_unused]] const ProcessEnvironment& environment,
                                          [[maybe_unused]] const ProcessGroupOptions& options) {
#ifdef WILDRAYZER_NCCL
  const auto nccl = c10d::ProcessGroupNCCL::Options::create();
  nccl->timeout = options.timeout;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::PrefixStore>("nccl", store),
                                                     environment.rank, environment.world_size, nccl);
#else
  throw Error("this build has no NCCL, by which several GPUs exchange gradients");
#endif
}

}  // namespace

ProcessGroup::ProcessGroup(const ProcessEnvironment& environment, torch::Device device,
                           const ProcessGroupOptions& options)
    : environment_(environment), device_(device), options_(options) {
  if (environment_.world_size > 1) Connect();
}

ProcessGroup::~ProcessGroup() = default;

void ProcessGroup::Connect() {
  connection_ = std::make_unique<Connection>();
  try {
    c10d::TCPStoreOptions store_options;
    store_options.port = static_cast<uint16_t>(environment_.master_port);
    store_options.isServer = environment_.rank == 0 && !environment_.launcher_listens;
    store_options.numWorkers = environment_.world_size;
    store_options.timeout = options_.timeout;
    const auto store = c10::make_intrusive<c10d::TCPStore>(environment_.master_address, store_options);
    // What an earlier attempt left in the launcher's store must not be taken for ours.
    connection_->store =
        c10::make_intrusive<c10d::PrefixStore>("wildrayzer/attempt_" + environment_.attempt, store);
    const auto gloo = c10d::ProcessGroupGloo::Options::create(options_.timeout);
    gloo->devices.push_back(Device(environment_));
    gloo->threads = 2;
    connection_->host = c10::make_intrusive<c10d::ProcessGroupGloo>(connection_->store, environment_.rank,
                                                                    environment_.world_size, gloo);
    if (device_.is_cuda()) connection_->gpus = BetweenGpus(connection_->store, environment_, options_);
  } catch (const std::exception& error) {
    throw Error(
        fmt::format("process {} of {} could not meet the others at {}:{} (MASTER_ADDR, MASTER_PORT): {}",
                    environment_.rank, environment_.world_size, environment_.master_address,
                    environment_.master_port, FirstLine(error.what())));
  }
}

void ProcessGroup::Exchange(const char* what, const std::function<void()>& step) {
  try {
    step();
  } catch (const std::exception& error) {
    throw Error(fmt::format(
        "process {} of {} lost another process while {} ({}); start all processes again with --resume",
        environment_.rank, environment_.world_size, what, FirstLine(error.what())));
  }
}

void ProcessGroup::MakeBuckets(const NamedParameters& parameters) {
  std::vector<int64_t> layout;
  for (const auto& [name, parameter] : parameters) layout.push_back(parameter.numel());
  if (layout == layout_) return;
  layout_ = layout;
  buckets_.clear();
  const int64_t limit = std::max<int64_t>(options_.bucket_bytes / static_cast<int64_t>(sizeof(float)), 1);
  int64_t size = 0;
  for (size_t first = 0, i = 0; i < layout.size(); ++i) {
    size += layout[i];
    if (size < limit && i + 1 < layout.size()) continue;
    buckets_.push_back({first, i + 1, torch::empty({size}, torch::TensorOptions(device_))});
    first = i + 1;
    size = 0;
  }
}

std::vector<bool> ProcessGroup::HaveGradients(const NamedParameters& parameters) {
  std::vector<double> counts;
  for (const auto& [name, parameter] : parameters) counts.push_back(parameter.grad().defined() ? 1.0 : 0.0);
  std::vector<bool> have;
  for (const double count : AllReduceSum(counts)) have.push_back(count > 0);
  return have;
}

void ProcessGroup::AverageGradients(const NamedParameters& parameters) {
  if (!connection_ || parameters.empty()) return;
  const torch::NoGradGuard no_grad;
  MakeBuckets(parameters);
  const std::vector<bool> have = HaveGradients(parameters);
  Exchange("averaging gradients", [&] {
    // Buckets travel while the next ones are filled.
    std::vector<Work> works;
    for (const Bucket& bucket : buckets_) {
      int64_t at = 0;
      for (size_t i = bucket.first; i < bucket.last; ++i) {
        const Tensor& parameter = parameters[i].second;
        Tensor part = bucket.flat.narrow(0, at, parameter.numel()).view(parameter.sizes());
        if (parameter.grad().defined()) {
          part.copy_(parameter.grad());
        } else {
          part.zero_();
        }
        if (have[i]) parameter.mutable_grad() = part;
        at += parameter.numel();
      }
      std::vector<Tensor> tensors{bucket.flat};
      works.push_back(connection_->For(bucket.flat).allreduce(tensors));
    }
    for (size_t i = 0; i < works.size(); ++i) {
      works[i]->wait();
      buckets_[i].flat.div_(environment_.world_size);
    }
  });
}

void ProcessGroup::Broadcast(const std::vector<Tensor>& tensors) {
  if (!connection_) return;
  const torch::NoGradGuard no_grad;
  Exchange("sharing weights", [&] {
    for (const Tensor& tensor : tensors) {
      if (tensor.numel() == 0) continue;
      // As bytes, because Gloo does not know every type.
      Tensor values = tensor.detach().contiguous();
      std::vector<Tensor> bytes{values.view({-1}).view(torch::kUInt8)};
      connection_->For(values).broadcast(bytes)->wait();
      if (values.data_ptr() != tensor.data_ptr()) tensor.detach().copy_(values);
    }
  });
}

Number ProcessGroup::Mean(const Number& value) {
  if (!connection_) return value;
  std::vector<Tensor> tensors{value.tensor().clone()};
  Exchange("exchanging numbers", [&] { connection_->For(tensors[0]).allreduce(tensors)->wait(); });
  return Number(tensors[0] / static_cast<double>(environment_.world_size));
}

std::vector<double> ProcessGroup::AllReduceSum(const std::vector<double>& values) {
  if (!connection_ || values.empty()) return values;
  Tensor sums = torch::tensor(values, torch::kFloat64);
  Exchange("exchanging numbers", [&] {
    std::vector<Tensor> tensors{sums};
    connection_->host->allreduce(tensors)->wait();
  });
  return {sums.data_ptr<double>(), sums.data_ptr<double>() + sums.numel()};
}

void ProcessGroup::Barrier() { AllReduceSum({1.0}); }

}  // namespace wildrayzer
