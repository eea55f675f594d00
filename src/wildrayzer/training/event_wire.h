// The protocol-buffer encoding of `Event`; https://protobuf.dev/programming-guides/encoding. Internal to
// event_file.cc.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "wildrayzer/training/event_file.h"

namespace wildrayzer {

std::string EventToWire(const Event& event);

// False when the bytes are no message. Fields that we do not know are passed over.
bool EventFromWire(std::span<const std::byte> bytes, Event* event);

}  // namespace wildrayzer
