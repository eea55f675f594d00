// Ctrl-C ends long work at the next safe point, so that destructors remove what is half-written.
#pragma once

#include "wildrayzer/util/error.h"

namespace wildrayzer {

// The user pressed Ctrl-C, or SIGTERM came. Exit code 130.
class Interrupted : public Error {
 public:
  Interrupted() : Error("interrupted; nothing was left half-written") {}
};

// SIGINT and SIGTERM set a flag from now on; a second SIGINT ends the process at once.
void CatchInterrupts();

// Raises Interrupted when the flag is set. Called between the parts of every long job.
void ThrowIfInterrupted();

// The flag itself, for work that has something to save first.
bool InterruptRequested();

}  // namespace wildrayzer
