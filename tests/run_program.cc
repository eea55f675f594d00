#include "run_program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace wildrayzer {
namespace fs = std::filesystem;

namespace {

fs::path OutputFile(const char* stream) {
  static int count = 0;
  return fs::temp_directory_path() / ("wildrayzer_" + std::string(stream) + "_" + std::to_string(::getpid()) +
                                      "_" + std::to_string(count++));
}

// In the child: becomes the program.
[[noreturn]] void Become(char* const* argv, const char* out, const char* err,
                         const ProgramSurroundings& surroundings) {
  ::dup2(::open("/dev/null", O_RDONLY), 0);
  ::dup2(::open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
  ::dup2(::open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
  for (const auto& [name, value] : surroundings.environment) ::setenv(name.c_str(), value.c_str(), 1);
  if (surroundings.file_size_limit > 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{surroundings.file_size_limit, surroundings.file_size_limit};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ::execv(argv[0], argv);
  ::_exit(127);
}

}  // namespace

RunningProgram::RunningProgram(const std::vector<std::string>& arguments,
                               const ProgramSurroundings& surroundings)
    : out_(OutputFile("out")), err_(OutputFile("err")) {
  std::vector<char*> argv = {const_cast<char*>(surroundings.program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  child_ = ::fork();
  if (child_ < 0) throw std::runtime_error("fork failed");
  if (child_ == 0) Become(argv.data(), out_.c_str(), err_.c_str(), surroundings);
}

RunningProgram::~RunningProgram() {
  Kill();
  if (!ended_) ::waitpid(child_, &status_, 0);
  std::error_code ignored;
  fs::remove(out_, ignored);
  fs::remove(err_, ignored);
}

bool RunningProgram::Ended() {
  ended_ = ended_ || ::waitpid(child_, &status_, WNOHANG) == child_;
  return ended_;
}

std::string RunningProgram::WaitForOut(const std::regex& pattern, double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (bool last = false;;) {
    const std::string out = fs::exists(out_) ? ReadText(out_) : "";
    std::smatch match;
    if (std::regex_search(out, match, pattern)) return match[1];
    if (last) throw std::runtime_error("never written to the standard output; there is: " + out);
    last = Ended() || std::chrono::steady_clock::now() > end;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void RunningProgram::Kill() {
  if (!ended_) ::kill(child_, SIGKILL);
}

void RunningProgram::Signal(int signal) {
  if (!ended_) ::kill(child_, signal);
}

std::string RunningProgram::Errors() const { return fs::exists(err_) ? ReadText(err_) : ""; }

ProgramResult RunningProgram::Wait() {
  if (!ended_) ::waitpid(child_, &status_, 0);
  ended_ = true;
  ProgramResult result;
  result.exit_code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  // Killed before it came to open them, it has written nothing.
  if (fs::exists(out_)) result.out = ReadText(out_);
  if (fs::exists(err_)) result.err = ReadText(err_);
  return result;
}

ProgramResult RunProgram(const std::vector<std::string>& arguments, uint64_t file_size_limit) {
  return RunningProgram(arguments, {.file_size_limit = file_size_limit}).Wait();
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
