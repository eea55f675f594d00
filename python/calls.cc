#include "calls.h"

#include <new>
#include <utility>

#include "wildrayzer/kernels/device_memory.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer::python {
namespace {

// The package's exception of this name, with the message.
py::object MakeError(const char* name, const std::string& message) {
  return py::module_::import("wildrayzer._errors").attr(name)(message);
}

void Raise(const py::object& error) {
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
}

}  // namespace

void RegisterErrors() {
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(std::move(thrown));
    } catch (const UsageError& error) {
      Raise(MakeError("UsageError", error.what()));
    } catch (const FileError& error) {
      const py::object made = MakeError("FileError", error.what());
      made.attr("path") = error.path();
      Raise(made);
    } catch (const Error& error) {
      Raise(MakeError("Error", error.what()));
    }
  });
}

void RethrowAsOurs(const std::exception& error) {
  if (dynamic_cast<const Error*>(&error) != nullptr) throw;
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) throw;
  if (const auto full = OutOfDeviceMemory(error)) {
    const py::gil_scoped_acquire gil;
    PyErr_SetString(PyExc_MemoryError, full->c_str());
    throw py::error_already_set();
  }
  const std::string message = error.what();
  throw Error(message.substr(0, message.find('\n')));
}

ProgressCallback CallEach(const py::object& callback) {
  return [&callback](const std::string& stage, int parts) {
    const py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (!callback.is_none()) callback(stage, parts);
  };
}

void Warn(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    // Level 2: the caller of the package's function.
    if (PyErr_WarnEx(PyExc_UserWarning, text.c_str(), 2) != 0) throw py::error_already_set();
  }
}

}  // namespace wildrayzer::python
