// Where it is told who came, what he wanted, and what became of it.
#pragma once

#include <string>

namespace fairlead::identity {

struct AuditEntry {
  // "agent/web-1", "operator"; empty: nobody knows.
  std::string who;
  // Address of the peer.
  std::string from;
  // "enrol", "renew", "connect", "token", "revoke", "rotate".
  std::string what;
  // "server/web-1"; may be empty.
  std::string resource;
  bool allowed = false;
  std::string reason;
};

// Thread-safe. Returns at once: it is told from handshakes.
class AuditSink {
 public:
  virtual ~AuditSink() = default;
  virtual void Note(const AuditEntry& entry) = 0;
};

}  // namespace fairlead::identity
