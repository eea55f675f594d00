// The part of LibTorch that we use: tensors, their factories and gradient modes. <torch/torch.h>, which
// brings data loaders, optimizers and every published layer, costs 20 s of compiling in each file that reads
// it.
#pragma once

#include <ATen/Parallel.h>
#include <torch/types.h>
