#include "controller/secrets/key_ring.h"

#include <sodium.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace fairlead::secrets {
namespace {

constexpr std::size_t kKeyBytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

// What the value is bound to: a record cannot be passed off as another's.
std::string BoundTo(const v1::SecretRecord& record) {
  return absl::StrCat("fairlead secret\n", record.key_id(), "\n", record.name());
}

}  // namespace

absl::StatusOr<KeyRing> KeyRing::Parse(absl::string_view text) {
  KeyRing ring;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    Key key;
    if (words.size() != 2 || !absl::Base64Unescape(words[1], &key.bytes) ||
        key.bytes.size() != kKeyBytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          "line ", number, " is no key: it must be `ID KEY`, the key base64 of 32 bytes"));
    }
    key.id = words[0];
    if (ring.Has(key.id)) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, ": key ", key.id, " stands twice"));
    }
    ring.keys_.push_back(std::move(key));
  }
  return ring;
}

std::string KeyRing::Text() const {
  std::string text =
      "# Keys of fairlead's secrets, the newest first. Keep a copy apart from backups.\n";
  for (const Key& key : keys_) {
    absl::StrAppend(&text, key.id, " ", absl::Base64Escape(key.bytes), "\n");
  }
  return text;
}

void KeyRing::AddNewKey(base::Random& random) {
  keys_.insert(keys_.begin(),
               {absl::StrCat("k", base::NewId(random, 7)), base::RandomBytes(random, kKeyBytes)});
}

bool KeyRing::Has(absl::string_view id) const {
  return std::any_of(keys_.begin(), keys_.end(), [id](const Key& key) { return key.id == id; });
}

void KeyRing::Encrypt(absl::string_view value, base::Random& random,
                      v1::SecretRecord* record) const {
  record->set_key_id(keys_.front().id);
  record->set_nonce(base::RandomBytes(random, kNonceBytes));
  const std::string bound_to = BoundTo(*record);
  std::string ciphertext(value.size() + kTagBytes, '\0');
  crypto_aead_xchacha20poly1305_ietf_encrypt(Bytes(ciphertext), nullptr, Bytes(value), value.size(),
                                             Bytes(bound_to), bound_to.size(), nullptr,
                                             Bytes(record->nonce()), Bytes(keys_.front().bytes));
  record->set_ciphertext(std::move(ciphertext));
}

absl::StatusOr<std::string> KeyRing::Decrypt(const v1::SecretRecord& record) const {
  const auto key = std::find_if(keys_.begin(), keys_.end(),
                                [&record](const Key& k) { return k.id == record.key_id(); });
  if (key == keys_.end()) {
    return absl::FailedPreconditionError(absl::StrCat("key ", record.key_id(), " is missing"));
  }
  const std::string bound_to = BoundTo(record);
  const std::string& ciphertext = record.ciphertext();
  std::string value(ciphertext.size() - std::min(ciphertext.size(), kTagBytes), '\0');
  if (record.nonce().size() != kNonceBytes || ciphertext.size() < kTagBytes ||
      crypto_aead_xchacha20poly1305_ietf_decrypt(
          Bytes(value), nullptr, nullptr, Bytes(ciphertext), ciphertext.size(), Bytes(bound_to),
          bound_to.size(), Bytes(record.nonce()), Bytes(key->bytes)) != 0) {
    return absl::DataLossError(absl::StrCat("key ", record.key_id(), " does not open it"));
  }
  return value;
}

}  // namespace fairlead::secrets
