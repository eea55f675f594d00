#include "wildrayzer/evaluation/lpips_function.h"

#include <memory>

#include "wildrayzer/evaluation/lpips.h"

namespace wildrayzer {

LpipsFunction LoadLpips(const std::filesystem::path& vgg, const std::filesystem::path& heads) {
  const auto lpips = std::make_shared<const Lpips>(Lpips::Load(vgg.string(), heads.string()));
  return [lpips](const Planes& picture, const Planes& truth) { return lpips->Compare(picture, truth); };
}

}  // namespace wildrayzer
