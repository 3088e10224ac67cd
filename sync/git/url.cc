#include "sync/git/url.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fairlead::git {
namespace {

bool IsHexDigit(char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); }

// Where "user@" of an address stands; length 0 when there is none.
struct Span {
  std::size_t begin = 0;
  std::size_t length = 0;
};

// `begin` is the first byte after "://".
Span FindUserInfo(absl::string_view text, std::size_t begin) {
  const std::size_t end = text.find_first_of("/?# \t\r\n'\"", begin);
  const absl::string_view authority =
      text.substr(begin, end == absl::string_view::npos ? end : end - begin);
  const std::size_t at = authority.rfind('@');
  if (at == absl::string_view::npos) return {begin, 0};
  return {begin, at};
}

// All but letters and digits.
std::string EncodePercent(absl::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c))) {
      encoded += c;
    } else {
      absl::StrAppend(&encoded, "%", absl::BytesToHexString(absl::string_view(&c, 1)));
    }
  }
  return encoded;
}

}  // namespace

SplitUrl SplitCredentials(absl::string_view url) {
  SplitUrl split{std::string(url), ""};
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == absl::string_view::npos) return split;
  const std::string scheme = absl::AsciiStrToLower(url.substr(0, scheme_end));
  if (scheme == "file") return split;
  const Span span = FindUserInfo(url, scheme_end + 3);
  if (span.length == 0) return split;
  split.user_info = std::string(url.substr(span.begin, span.length));
  std::string kept;
  if (absl::StrContains(scheme, "ssh")) {
    kept = absl::StrCat(split.user_info.substr(0, split.user_info.find(':')), "@");
  }
  split.url =
      absl::StrCat(url.substr(0, span.begin), kept, url.substr(span.begin + span.length + 1));
  return split;
}

std::string DomainOf(absl::string_view url) {
  const std::string bare = SplitCredentials(url).url;
  const std::size_t scheme = bare.find("://");
  if (scheme == std::string::npos) {
    // user@host:path; what has a slash before the colon is a path.
    const std::size_t colon = bare.find(':');
    if (colon == std::string::npos || bare.find('/') < colon) return "";
    const std::size_t at = bare.find('@');
    const std::size_t begin = at == std::string::npos || at > colon ? 0 : at + 1;
    return absl::AsciiStrToLower(bare.substr(begin, colon - begin));
  }
  if (absl::StartsWithIgnoreCase(bare, "file:")) return "";
  std::string host = bare.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  // An ssh address keeps its user.
  const std::size_t at = host.rfind('@');
  return absl::AsciiStrToLower(at == std::string::npos ? host : host.substr(at + 1));
}

std::string WithLogin(absl::string_view url, absl::string_view user, absl::string_view secret) {
  const std::string bare = SplitCredentials(url).url;
  if (!absl::StartsWithIgnoreCase(bare, "http://") &&
      !absl::StartsWithIgnoreCase(bare, "https://")) {
    return std::string(url);
  }
  const std::size_t begin = bare.find("://") + 3;
  return absl::StrCat(bare.substr(0, begin), EncodePercent(user), ":", EncodePercent(secret), "@",
                      bare.substr(begin));
}

std::string RedactUrls(absl::string_view text) {
  std::string redacted;
  std::size_t from = 0;
  for (std::size_t at = text.find("://"); at != absl::string_view::npos;
       at = text.find("://", from)) {
    const Span span = FindUserInfo(text, at + 3);
    absl::StrAppend(&redacted, text.substr(from, at + 3 - from));
    from = at + 3;
    const absl::string_view user = text.substr(span.begin, span.length);
    const bool is_plain_ssh_user =
        absl::EndsWith(text.substr(0, at), "ssh") && !absl::StrContains(user, ":");
    if (span.length == 0 || is_plain_ssh_user) continue;
    redacted += "***";
    from = span.begin + span.length;
  }
  absl::StrAppend(&redacted, text.substr(from));
  return redacted;
}

std::string DecodePercent(absl::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && IsHexDigit(text[i + 1]) &&
        IsHexDigit(text[i + 2])) {
      decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

}  // namespace fairlead::git
