// torch::nn::Module and TORCH_MODULE, without the published layers (see util/tensor.h).
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "wildrayzer/util/tensor.h"
