#include "run_program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace wildrayzer {
namespace fs = std::filesystem;

ProgramResult RunProgram(const std::vector<std::string>& arguments, uint64_t file_size_limit) {
  const fs::path out = fs::temp_directory_path() / ("wildrayzer_out_" + std::to_string(::getpid()));
  const fs::path err = fs::temp_directory_path() / ("wildrayzer_err_" + std::to_string(::getpid()));
  std::vector<char*> argv = {const_cast<char*>(WILDRAYZER_PROGRAM)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    const int null = ::open("/dev/null", O_RDONLY);
    const int out_file = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err_file = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(null, 0);
    ::dup2(out_file, 1);
    ::dup2(err_file, 2);
    if (file_size_limit > 0) {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{file_size_limit, file_size_limit};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ProgramResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = ReadText(out);
  result.err = ReadText(err);
  fs::remove(out);
  fs::remove(err);
  return result;
}

Image TestPicture(int width, int height, int seed) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.Pixel(x, y)[c] = static_cast<uint8_t>(127 + 80 * std::sin(0.11 * x + seed + c) +
                                                    40 * std::cos(0.17 * y * (c + 1)));
      }
    }
  }
  return image;
}

void WritePhotos(const fs::path& folder, int count, int width, int height) {
  fs::create_directories(folder);
  for (int i = 0; i < count; ++i) {
    WritePng(folder / ("photo" + std::to_string(i) + ".png"), TestPicture(width, height, i));
  }
}

std::vector<std::string> TinyModel() {
  std::vector<std::string> arguments = {"--init", "random", "--precision", "fp32"};
  for (const char* setting :
       {"model.target_image.height=64", "model.target_image.width=64", "model.image_tokenizer.image_size=64",
        "model.target_pose_tokenizer.image_size=64", "model.transformer.d=64", "model.transformer.d_head=32",
        "model.transformer.encoder_n_layer=1", "model.transformer.encoder_geom_n_layer=1",
        "model.transformer.decoder_n_layer=1", "model.scene_latent.length=16"}) {
    arguments.insert(arguments.end(), {"--set", setting});
  }
  return arguments;
}

std::vector<std::string> Tree(const fs::path& folder) {
  std::vector<std::string> names;
  if (!fs::exists(folder)) return names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    names.push_back(fs::relative(entry.path(), folder).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace wildrayzer
