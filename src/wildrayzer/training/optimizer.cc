#include "wildrayzer/training/optimizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "wildrayzer/kernels/cpu_kernels.h"
#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/training/muon.h"
#include "wildrayzer/training/optimizer_device.h"
#include "wildrayzer/training/optimizer_kernels.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int64_t kPieceSize = 1 << 15;  // elements; small enough to stay in a core's cache between passes

// Parameters that hold several matrices of the same size, one below the other.
struct Fused {
  std::string ending;
  int64_t matrices;
};
const std::array<Fused, 2> kFused{{{".attn.to_qkv.weight", 3}, {".cross_attn.to_kv.weight", 2}}};

int64_t MatricesIn(const std::string& name, const torch::Tensor& parameter) {
  for (const Fused& fused : kFused) {
    if (name.ends_with(fused.ending) && parameter.size(0) % fused.matrices == 0) return fused.matrices;
  }
  return 1;
}

// Muon is for the hidden matrices of transformer blocks; embeddings, tokenizers and heads stay with AdamW.
bool IsBlockMatrix(const std::string& name, const torch::Tensor& parameter) {
  if (parameter.dim() != 2) return false;
  const std::array<std::string, 7> endings{
      ".attn.to_qkv.weight",      ".attn.fc.weight",         ".mlp.mlp.0.weight",    ".mlp.mlp.2.weight",
      ".cross_attn.to_kv.weight", ".cross_attn.to_q.weight", ".cross_attn.fc.weight"};
  return std::any_of(endings.begin(), endings.end(),
                     [&](const std::string& end) { return name.ends_with(end); });
}

void CheckParameters(const NamedParameters& parameters) {
  std::set<std::string> names;
  for (const auto& [name, parameter] : parameters) {
    if (!names.insert(name).second) throw Error("the optimizer was given parameter '" + name + "' twice");
    if (!parameter.defined() || parameter.scalar_type() != torch::kFloat32 ||
        parameter.device() != parameters[0].second.device())
      throw Error("the optimizer needs float32 parameters on one device; '" + name + "' is not");
  }
}

// A new tensor of the state over `value`, copied, or the reason why it cannot be.
torch::Tensor Checked(const std::map<std::string, torch::Tensor>& state, const std::string& name,
                      const torch::Tensor& like, const std::string& label) {
  const auto found = state.find(name);
  if (found == state.end()) throw FileError(label, "the optimizer state lacks '" + name + "'");
  const torch::Tensor& value = found->second;
  if (value.sizes() != like.sizes())
    throw FileError(label, "'" + name + "' of the optimizer state has another shape than the model");
  if (value.scalar_type() != like.scalar_type())
    throw FileError(label, "'" + name + "' of the optimizer state has another number type");
  if (value.is_floating_point() && !torch::isfinite(value).all().item<bool>())
    throw FileError(label, "'" + name + "' of the optimizer state holds values that are not finite");
  return value.to(like.device()).clone(torch::MemoryFormat::Contiguous);
}

}  // namespace

double MuonScaleOf(MuonScale scale, int64_t rows, int64_t columns) {
  if (scale == MuonScale::kRmsMatched) return 0.2 * std::sqrt(static_cast<double>(std::max(rows, columns)));
  return std::sqrt(std::max(1.0, static_cast<double>(rows) / static_cast<double>(columns)));
}

NamedParameters TrainableParameters(const torch::nn::Module& module) {
  NamedParameters parameters;
  for (const auto& item : module.named_parameters()) {
    if (item.value().requires_grad()) parameters.emplace_back(item.key(), item.value());
  }
  return parameters;
}

Optimizer::Optimizer(NamedParameters parameters, const OptimizerOptions& options)
    : options_(options), parameters_(std::move(parameters)) {
  CheckParameters(parameters_);
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    auto& [name, parameter] = parameters_[i];
    parameter.set_data(parameter.detach().clone(torch::MemoryFormat::Contiguous));
    OptimizerSlot slot;
    slot.muon = options_.kind == OptimizerKind::kMuon && IsBlockMatrix(name, parameter);
    slot.matrices = slot.muon ? MatricesIn(name, parameter) : 1;
    slot.decay = parameter.dim() == 1 ? 0.0 : options_.weight_decay;
    slot.first = torch::zeros_like(parameter, torch::requires_grad(false));
    if (!slot.muon) slot.second = torch::zeros_like(slot.first);
    for (int64_t begin = 0; begin < parameter.numel(); begin += kPieceSize)
      pieces_.push_back({i, begin, std::min(begin + kPieceSize, parameter.numel())});
    const int64_t matrix = parameter.numel() / slot.matrices;
    for (int64_t k = 0; slot.muon && k < slot.matrices; ++k)
      muon_pieces_.push_back({i, k * matrix, (k + 1) * matrix});
    slots_.push_back(std::move(slot));
  }
  std::copy_if(pieces_.begin(), pieces_.end(), std::back_inserter(adamw_pieces_),
               [&](const Piece& piece) { return !slots_[piece.parameter].muon; });
  const bool on_cpu = parameters_.empty() || OnCpu(parameters_[0].second);
  if (!on_cpu) device_ = std::make_unique<DeviceUpdate>(parameters_, options_);
}

Optimizer::~Optimizer() = default;

std::vector<torch::Tensor> Optimizer::ContiguousGradients() const {
  std::vector<torch::Tensor> gradients;
  for (const auto& [name, parameter] : parameters_) {
    const torch::Tensor& gradient = parameter.grad();
    gradients.push_back(gradient.defined() ? gradient.detach().to(torch::kFloat32).contiguous() : gradient);
  }
  return gradients;
}

double Optimizer::Norm(const std::vector<torch::Tensor>& gradients) const {
  std::vector<double> sums(pieces_.size(), 0.0);
  ParallelFor(static_cast<int64_t>(pieces_.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Piece& piece = pieces_[i];
      const torch::Tensor& gradient = gradients[piece.parameter];
      if (!gradient.defined()) continue;
      sums[i] = SumOfSquares(piece.end - piece.begin, gradient.data_ptr<float>() + piece.begin);
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return std::sqrt(total);
}

Number Optimizer::GradientNorm() const {
  return device_ ? DeviceUpdate::Norm(ContiguousGradients()) : Number(Norm(ContiguousGradients()));
}

StepCounters Optimizer::counters() const { return device_ ? device_->Counters() : counters_; }

void Optimizer::ZeroGrad() {
  for (auto& [name, parameter] : parameters_) parameter.mutable_grad() = torch::Tensor();
}

StepResult Optimizer::Step(double rate, const Number& loss) {
  const std::vector<torch::Tensor> gradients = ContiguousGradients();
  if (device_) return device_->Step(parameters_, slots_, gradients, rate, loss);
  StepResult result = StepOnCpu(gradients, rate, loss);
  result.skipped = static_cast<double>(counters_.skipped());
  return result;
}

StepResult Optimizer::StepOnCpu(const std::vector<torch::Tensor>& gradients, double rate, double loss) {
  const double norm = Norm(gradients);
  if (!std::isfinite(loss) || !std::isfinite(norm)) {
    ++counters_.not_finite;
    return {0.0, norm, {}};
  }
  if (norm > options_.skip_factor * options_.clip_norm) {
    ++counters_.too_large;
    return {0.0, norm, {}};
  }
  if (norm == 0) return {0.0, norm, {}};
  const double gradient_scale = std::min(1.0, options_.clip_norm / (norm + 1e-6));
  for (size_t i = 0; i < slots_.size(); ++i) slots_[i].step += gradients[i].defined() ? 1 : 0;
  UpdateAdamW(gradients, rate, gradient_scale);
  UpdateMuon(gradients, rate * options_.muon_rate_ratio, gradient_scale);
  ++counters_.applied;
  return {1.0, norm, {}};
}

void Optimizer::UpdateAdamW(const std::vector<torch::Tensor>& gradients, double rate, double gradient_scale) {
  ParallelFor(static_cast<int64_t>(adamw_pieces_.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Piece& piece = adamw_pieces_[i];
      const OptimizerSlot& slot = slots_[piece.parameter];
      const torch::Tensor& gradient = gradients[piece.parameter];
      if (!gradient.defined()) continue;
      const double correction1 = 1.0 - std::pow(options_.beta1, static_cast<double>(slot.step));
      const double correction2 = 1.0 - std::pow(options_.beta2, static_cast<double>(slot.step));
      const AdamWStep step{
          static_cast<float>(gradient_scale),     static_cast<float>(1.0 - rate * slot.decay),
          static_cast<float>(options_.beta1),     static_cast<float>(options_.beta2),
          static_cast<float>(rate / correction1), static_cast<float>(1.0 / std::sqrt(correction2)),
          static_cast<float>(options_.eps)};
      AdamWUpdate(step, piece.end - piece.begin, gradient.data_ptr<float>() + piece.begin,
                  parameters_[piece.parameter].second.data_ptr<float>() + piece.begin,
                  slot.first.data_ptr<float>() + piece.begin, slot.second.data_ptr<float>() + piece.begin);
    }
  });
}

void Optimizer::UpdateMuon(const std::vector<torch::Tensor>& gradients, double rate, double gradient_scale) {
  const torch::ScalarType dtype = options_.muon_bf16 ? torch::kBFloat16 : torch::kFloat32;
  // One matrix a thread: the products of a small model's matrices are too small to be shared between cores.
  ParallelFor(static_cast<int64_t>(muon_pieces_.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Piece& piece = muon_pieces_[i];
      const OptimizerSlot& slot = slots_[piece.parameter];
      const torch::Tensor& parameter = parameters_[piece.parameter].second;
      const torch::Tensor& gradient = gradients[piece.parameter];
      if (!gradient.defined()) continue;
      const int64_t rows = parameter.size(0) / slot.matrices, columns = parameter.size(1);
      const int64_t count = piece.end - piece.begin;
      torch::Tensor direction = torch::empty({rows, columns}, torch::kFloat32);
      MomentumUpdate(static_cast<float>(options_.muon_momentum), static_cast<float>(gradient_scale),
                     options_.muon_nesterov, count, gradient.data_ptr<float>() + piece.begin,
                     slot.first.data_ptr<float>() + piece.begin, direction.data_ptr<float>());
      direction = Orthogonalize(direction, options_.muon_iterations, dtype);
      const double scale = MuonScaleOf(options_.muon_scale, rows, columns);
      ApplyDirection(static_cast<float>(1.0 - rate * slot.decay), static_cast<float>(rate * scale), count,
                     direction.data_ptr<float>(), parameter.data_ptr<float>() + piece.begin);
    }
  });
}

bool Optimizer::UsesMuon(const std::string& name) const {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].first == name) return slots_[i].muon;
  }
  return false;
}

std::map<std::string, torch::Tensor> Optimizer::ExportState() const {
  std::map<std::string, torch::Tensor> state;
  const std::vector<int64_t> steps = device_ ? device_->Steps() : std::vector<int64_t>();
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const std::string& name = parameters_[i].first;
    const OptimizerSlot& slot = slots_[i];
    state[(slot.muon ? "momentum/" : "exp_avg/") + name] = slot.first;
    if (!slot.muon) state["exp_avg_sq/" + name] = slot.second;
    state["step/" + name] = torch::tensor(device_ ? steps[i] : slot.step, torch::kInt64);
  }
  const StepCounters now = counters();
  state["counters"] = torch::tensor({now.applied, now.not_finite, now.too_large}, torch::kInt64);
  return state;
}

void Optimizer::ImportState(const std::map<std::string, torch::Tensor>& state, const std::string& label) {
  // Everything is checked before anything changes.
  std::map<std::string, torch::Tensor> checked;
  for (const auto& [name, like] : ExportState()) checked[name] = Checked(state, name, like, label);
  for (const auto& [name, value] : state) {
    if (!checked.contains(name))
      throw FileError(label, "the optimizer state has '" + name + "', which the model or optimizer lacks");
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const std::string& name = parameters_[i].first;
    OptimizerSlot& slot = slots_[i];
    slot.step = checked["step/" + name].item<int64_t>();
    slot.first = checked[(slot.muon ? "momentum/" : "exp_avg/") + name];
    if (!slot.muon) slot.second = checked["exp_avg_sq/" + name];
  }
  const torch::Tensor counters = checked["counters"];
  counters_ = {counters[0].item<int64_t>(), counters[1].item<int64_t>(), counters[2].item<int64_t>()};
  if (!device_) return;
  std::vector<int64_t> steps;
  for (const OptimizerSlot& slot : slots_) steps.push_back(slot.step);
  device_->Restore(steps, counters_);
}

std::array<std::vector<std::string>, 2> Optimizer::ReleaseGroups() const {
  std::array<std::vector<std::string>, 2> groups;
  for (const auto& [name, parameter] : parameters_) groups[parameter.dim() == 1 ? 1 : 0].push_back(name);
  return groups;
}

}  // namespace wildrayzer
