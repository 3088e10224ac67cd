#include "controller/election/candidacy.h"

#include <algorithm>

namespace fairlead::election {
namespace {

// Who is not in office has nothing to lose by asking again.
constexpr absl::Duration kLongestPatience = absl::Seconds(5);

}  // namespace

absl::Duration Candidacy::NextAt() const {
  return term_ == 0 ? due_ : std::min(due_, valid_until_);
}

absl::Duration Candidacy::PatienceAt(absl::Duration now) const {
  return term_ == 0 ? std::min(terms_.lease, kLongestPatience)
                    : std::min(terms_.renew_every(), valid_until_ - now);
}

void Candidacy::OnAnswer(absl::Duration sent, absl::Duration now,
                         const absl::StatusOr<store::LeaseSight>& answer) {
  if (!answer.ok()) {
    due_ = now + terms_.retry();
    Expire(now);
    return;
  }
  // A look may still show an office that was given up.
  const bool was_asked_for = term_ == 0 ? IsStanding(sent) : answer->term == term_;
  const bool ours =
      was_asked_for && answer->claim.holder == holder_ && answer->left > absl::ZeroDuration();
  if (ours) {
    term_ = answer->term;
    valid_until_ = sent + answer->left - terms_.margin();
    due_ = sent + terms_.renew_every();
    // The answer may have been too long on its way.
    Expire(now);
    return;
  }
  term_ = 0;
  // At the moment at which it can be had, and not much later.
  const absl::Duration free_in = std::max(answer->left, terms_.retry() / 4);
  due_ = now + std::min(terms_.renew_every(), IsStanding(now) ? free_in : stands_from_ - now);
}

void Candidacy::Expire(absl::Duration now) {
  if (term_ != 0 && now >= valid_until_) {
    term_ = 0;
    due_ = now;
  }
}

void Candidacy::Withdraw(absl::Duration until) {
  term_ = 0;
  stands_from_ = until;
  due_ = -absl::InfiniteDuration();
}

}  // namespace fairlead::election
