#include "wildrayzer/nn/recompute.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

namespace wildrayzer {
namespace {

using torch::Tensor;
using Body = std::function<Tensor(const std::vector<Tensor>&)>;

struct BodyHolder : torch::CustomClassHolder {
  Body body;
  std::vector<bool> wants_gradient;  // of the inputs
};

class RecomputeFunction : public torch::autograd::Function<RecomputeFunction> {
 public:
  // The parameters are arguments so that their gradients flow through this node, not around it.
  static Tensor forward(torch::autograd::AutogradContext* context,
                        const c10::intrusive_ptr<BodyHolder>& holder, at::TensorList inputs,
                        at::TensorList parameters) {
    torch::autograd::variable_list saved = inputs.vec();
    saved.insert(saved.end(), parameters.begin(), parameters.end());
    context->save_for_backward(saved);
    context->saved_data["body"] = c10::IValue::make_capsule(holder);
    return holder->body(inputs.vec());  // no graph: gradients are off in here
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list grads) {
    torch::autograd::variable_list saved = context->get_saved_variables();
    const auto capsule = context->saved_data["body"].toCapsule();
    const auto& holder = static_cast<const BodyHolder&>(*capsule);
    const torch::AutoGradMode with_graph(true);
    std::vector<Tensor> inputs;
    for (size_t i = 0; i < holder.wants_gradient.size(); ++i) {
      // Cut off from what made them, which has its own turn in the backward pass.
      saved[i] = saved[i].detach().set_requires_grad(holder.wants_gradient[i]);
      inputs.push_back(saved[i]);
    }
    const Tensor y = holder.body(inputs);
    std::vector<Tensor> asked;
    for (const Tensor& tensor : saved) {
      if (tensor.requires_grad()) asked.push_back(tensor);
    }
    const torch::autograd::tensor_list found = torch::autograd::grad(
        {y}, asked, {grads[0]}, /*retain_graph=*/{}, /*create_graph=*/false, /*allow_unused=*/true);
    torch::autograd::tensor_list result = {Tensor()};  // of `holder`
    for (size_t i = 0, next = 0; i < saved.size(); ++i)
      result.push_back(saved[i].requires_grad() ? found[next++] : Tensor());
    return result;
  }
};

}  // namespace

Tensor Recomputed(const Body& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& parameters) {
  if (!torch::GradMode::is_enabled()) return f(inputs);
  std::vector<Tensor> trained;
  for (const Tensor& parameter : parameters) {
    if (parameter.requires_grad()) trained.push_back(parameter);
  }
  auto holder = c10::make_intrusive<BodyHolder>();
  holder->body = f;
  bool any = !trained.empty();
  for (const Tensor& input : inputs) {
    holder->wants_gradient.push_back(input.requires_grad());
    any = any || input.requires_grad();
  }
  if (!any) return f(inputs);
  return RecomputeFunction::apply(holder, at::TensorList(inputs), at::TensorList(trained));
}

}  // namespace wildrayzer
