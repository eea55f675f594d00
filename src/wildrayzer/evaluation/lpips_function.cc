#include "wildrayzer/evaluation/lpips_function.h"

#include <memory>

#include "wildrayzer/evaluation/lpips.h"
#include "wildrayzer/kernels/device.h"

namespace wildrayzer {

LpipsFunction LoadLpips(const std::filesystem::path& vgg, const std::filesystem::path& heads,
                        const std::string& device) {
  const auto lpips =
      std::make_shared<const Lpips>(Lpips::Load(vgg.string(), heads.string(), ChooseDevice(device)));
  return [lpips](const Planes& picture, const Planes& truth) { return lpips->Compare(picture, truth); };
}

}  // namespace wildrayzer
