// How long work is called: without the GIL, with Ctrl-C, progress and warnings brought to Python.
#pragma once

#include <pybind11/pybind11.h>

#include <mutex>
#include <string>

#include "wildrayzer/pipeline/reconstructor.h"
#include "wildrayzer/util/collected_warnings.h"

namespace wildrayzer::python {

namespace py = pybind11;

// A model and the lock that callers on several threads take turns by: its work takes all cores anyway. Work
// that is asked for from a progress callback runs inside the turn of the callback's own work.
struct SharedModel {
  Reconstructor reconstructor;
  std::recursive_mutex turn;
  explicit SharedModel(Reconstructor made) : reconstructor(std::move(made)) {}
};

// Every exception of ours as one of the package's (wildrayzer/_errors.py).
void RegisterErrors();

// Raises what is no error of ours, LibTorch's for the most part, as one: OutOfDeviceMemory as Python's
// MemoryError, others as Error with the first line. To be called in a handler of `error`.
[[noreturn]] void RethrowAsOurs(const std::exception& error);

// Calls `callback` (None: nobody), and ends the work when Ctrl-C was pressed or the callback raised. The
// reference must outlive the result.
ProgressCallback CallEach(const py::object& callback);

// Warnings at the place where the user called the package.
void Warn(const std::vector<std::string>& texts);

// f(progress) without the GIL; what it warns of becomes Python's warnings.
template <typename F>
auto Work(const py::object& callback, F&& f) {
  const ProgressCallback progress = CallEach(callback);
  CollectedWarnings warnings;
  auto result = [&] {
    const py::gil_scoped_release release;
    try {
      return f(progress);
    } catch (const py::error_already_set&) {
      throw;
    } catch (const std::exception& error) {
      RethrowAsOurs(error);
    }
  }();
  Warn(warnings.texts());
  return result;
}

// The same with a model, in turn.
template <typename F>
auto Work(SharedModel& model, const py::object& callback, F&& f) {
  return Work(callback, [&](const ProgressCallback& progress) {
    const std::lock_guard<std::recursive_mutex> lock(model.turn);
    return f(progress);
  });
}

}  // namespace wildrayzer::python
