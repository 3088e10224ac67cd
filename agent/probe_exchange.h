// One question to one container.
#pragma once

#include <functional>
#include <string>

#include <boost/asio/io_context.hpp>
#include "absl/status/status.h"

#include "agent/probe_schedule.h"

namespace fairlead::agent {

// Connects to the container at `address` and, with a path, asks for it. `done` gets OK or what
// failed, once, on the thread that runs `io`, not before this returns; a question that is not
// answered within the definition's timeout has failed. No redirect is followed and no body read.
void AskContainer(boost::asio::io_context& io, const std::string& address,
                  const ProbeDefinition& definition, std::function<void(const absl::Status&)> done);

}  // namespace fairlead::agent
