#include "wildrayzer/nn/recompute.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

namespace wildrayzer {
namespace {

using torch::Tensor;
using Body = std::function<Tensor(const Tensor&)>;

struct BodyHolder : torch::CustomClassHolder {
  explicit BodyHolder(Body given) : body(std::move(given)) {}
  Body body;
};

class RecomputeFunction : public torch::autograd::Function<RecomputeFunction> {
 public:
  // The parameters are arguments so that their gradients flow through this node, not around it.
  static Tensor forward(torch::autograd::AutogradContext* context, const Body& body, const Tensor& x,
                        at::TensorList parameters) {
    torch::autograd::variable_list saved = {x};
    saved.insert(saved.end(), parameters.begin(), parameters.end());
    context->save_for_backward(saved);
    context->saved_data["body"] = c10::IValue::make_capsule(c10::make_intrusive<BodyHolder>(body));
    return body(x);  // no graph: gradients are off in here
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list grads) {
    torch::autograd::variable_list inputs = context->get_saved_variables();
    const auto holder = context->saved_data["body"].toCapsule();
    const torch::AutoGradMode with_graph(true);
    const Tensor x = inputs[0].detach().set_requires_grad(true);
    inputs[0] = x;
    const Tensor y = static_cast<const BodyHolder&>(*holder).body(x);
    torch::autograd::tensor_list wanted = torch::autograd::grad(
        {y}, inputs, {grads[0]}, /*retain_graph=*/{}, /*create_graph=*/false, /*allow_unused=*/true);
    wanted.insert(wanted.begin(), Tensor());  // of `body`
    return wanted;
  }
};

}  // namespace

Tensor Recomputed(const std::function<Tensor(const Tensor& x)>& f, const Tensor& x,
                  const std::vector<Tensor>& parameters) {
  if (!torch::GradMode::is_enabled()) return f(x);
  std::vector<Tensor> trained;
  for (const Tensor& parameter : parameters) {
    if (parameter.requires_grad()) trained.push_back(parameter);
  }
  if (trained.empty() && !x.requires_grad()) return f(x);
  return RecomputeFunction::apply(f, x, at::TensorList(trained));
}

}  // namespace wildrayzer
