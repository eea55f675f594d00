// Runs the executable under test and prepares small inputs for it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/io/images.h"
#include "wildrayzer/testing/files.h"

namespace wildrayzer {

using testing::FreshFolder;
using testing::ReadText;

struct ProgramResult {
  int exit_code = -1;  // 128 + signal when it was killed
  std::string out;
  std::string err;
};

// What is run, and what it gets besides its arguments.
struct ProgramSurroundings {
  std::filesystem::path program = WILDRAYZER_PROGRAM;
  uint64_t file_size_limit = 0;                                       // see RunProgram
  std::vector<std::pair<std::string, std::string>> environment = {};  // added to our own
};

// `wildrayzer ARGUMENTS...` while it runs; several may run side by side. The destructor kills it.
class RunningProgram {
 public:
  explicit RunningProgram(const std::vector<std::string>& arguments,
                          const ProgramSurroundings& surroundings = {});
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  // Whether it has ended on its own or by a signal; does not wait.
  bool Ended();
  // Waits until what it has written to its standard output matches, and gives the first group of the match.
  // std::runtime_error when it ends before or `seconds` pass.
  std::string WaitForOut(const std::regex& pattern, double seconds);
  // Sends SIGKILL unless it has ended.
  void Kill();
  // Sends a signal.
  void Signal(int signal);
  // What it has written to its standard errors so far.
  std::string Errors() const;
  pid_t pid() const { return child_; }
  // Waits for the end. To be called once.
  ProgramResult Wait();

 private:
  std::filesystem::path out_, err_;
  pid_t child_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

// Runs `wildrayzer ARGUMENTS...` without a shell. `file_size_limit` > 0 bounds every file it writes, which
// fails the way a full disk does.
ProgramResult RunProgram(const std::vector<std::string>& arguments, uint64_t file_size_limit = 0);

// A picture with structure everywhere; different seeds look different.
Image TestPicture(int width, int height, int seed);

// `count` pictures photo0.png, ... of the given size in `folder`.
void WritePhotos(const std::filesystem::path& folder, int count, int width = 80, int height = 60);

// The arguments of a model so small that a test takes a second: 64 x 64 pixels, width 64, one layer each,
// random weights.
std::vector<std::string> TinyModel();

// Names of everything below `folder`, relative and sorted.
std::vector<std::string> Tree(const std::filesystem::path& folder);

}  // namespace wildrayzer
