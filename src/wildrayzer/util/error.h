// Errors that a user can act on. Every message is one line that names the file (or option) and the remedy.
#pragma once

#include <stdexcept>
#include <string>

namespace wildrayzer {

// Base of all errors that the program raises on purpose. The command line prints what() and exits with 1:
// the data, a file or the machine is at fault.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A file cannot be read, is damaged, or does not hold what it must. what() is "PATH: problem".
class FileError : public Error {
 public:
  FileError(const std::string& path, const std::string& problem)
      : Error(path + ": " + problem), path_(path), problem_(problem) {}
  const std::string& path() const { return path_; }
  const std::string& problem() const { return problem_; }

 private:
  std::string path_;
  std::string problem_;
};

// The command line or the configuration asks for something impossible. Exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace wildrayzer
