// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <array>
#include <optional>

#include "ui/models/runs/loss_difference.h"
#include "ui/models/workbench.h"

/// What the token panel says of a token, in words.
namespace natscope::ui {

/// A token's scores in one head, G, L, S, as they are compared: with the bias b on G where it is known.
struct TokenScores {
  std::array<double, role_count> scores{};
  std::optional<double> bias;  ///< that is part of them; none: not known, or there is none
  QStringList headings;        ///< the margin, or why the largest of them did not decide; longest first
};

/// Of the chosen head; nothing where none were kept.
[[nodiscard]] std::optional<TokenScores> tokenScores(Workbench& workbench, TokenPos token);

/// "loss 3.47 nats (p 3.1 %)"; empty where it is not known, as for the first token.
[[nodiscard]] QString lossWords(const SequenceModel& sequence, TokenPos token);
/// "1.37 worse than the kept run's 2.10"; empty where the two do not compare.
[[nodiscard]] QString keptLossWords(const LossDifference& losses, TokenPos token);

/// A probability as a share of a hundred: what was drawn was never impossible.
[[nodiscard]] QString probabilityWords(double probability);
/// "+1.37", "−0.012": with its sign; two digits, or three below a tenth; no sign where they are all 0.
[[nodiscard]] QString signedNats(double difference);

}  // namespace natscope::ui
