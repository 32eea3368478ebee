// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/runs/token_words.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "core/cache/policy.h"

namespace natscope::ui {
namespace {

const QString unchanged = QStringLiteral("0.000");

QString tr(const char* text) { return QCoreApplication::translate("TokenWords", text); }

/// Why the scores did not decide the token's role; empty where they did.
QString whyNotAsked(Workbench& workbench, TokenPos token) {
  const Selection& selection = workbench.selection();
  const RoleChanges& changes = workbench.analysedChanges();
  if (!workbench.sequence().hasRoles()) return tr("%1 decides").arg(workbench.sequence().method());
  if (changes.find(selection.layer(), selection.kvHead(), token) != nullptr) return tr("set by hand");
  if (changes.roles || changes.hadOtherRoles) return tr("a file decides");
  const auto policy = parse_policy(workbench.client().policy());
  if (policy && policy->kind != Policy::Kind::model) return tr("the policy decides");
  return token.value == 0 ? tr("the first is always Global") : QString();
}

}  // namespace

std::optional<TokenScores> tokenScores(Workbench& workbench, TokenPos token) {
  const SequenceRecord& record = workbench.sequence().record();
  const Selection& selection = workbench.selection();
  const TokenFrame& frame = record.frame(token);
  const auto head =
      static_cast<std::size_t>(selection.layer().value * record.geometry().kv_heads + selection.kvHead().value);
  if (frame.scores.size() < (head + 1) * role_count) return std::nullopt;
  const float* const scores = frame.scores.data() + head * role_count;
  TokenScores words{{scores[0], scores[1], scores[2]}, {}, {}};
  const auto& model = workbench.client().model();
  const auto recording = workbench.recording();
  // An older recording does not say its bias: it is known where the open model is the one that made it.
  const bool isOfModel = model && recording && recording->trace().provenance().model_sha256 == model->sha256;
  words.bias = workbench.client().globalBias();
  if (!words.bias && isOfModel) words.bias = model->global_bias;
  words.scores[0] += words.bias.value_or(0);
  std::array<double, role_count> sorted = words.scores;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const QString why = whyNotAsked(workbench, token);
  if (!why.isEmpty()) {
    words.headings = {tr("scores; %1").arg(why), why};
    return words;
  }
  const QString margin = tr("margin %1").arg(sorted[0] - sorted[1], 0, 'f', 2);
  words.headings = {tr("scores, %1").arg(margin), margin};
  if (words.bias && *words.bias != 0)
    words.headings.prepend(words.headings.first() + tr("; G with b %1").arg(QString::number(*words.bias, 'g', 3)));
  return words;
}

QString probabilityWords(double probability) {
  if (probability < 0.0005) return QStringLiteral("< 0.1 %");
  return QString::number(100 * probability, 'f', probability < 0.0995 ? 1 : 0) + QStringLiteral(" %");
}

QString signedNats(double difference) {
  const double size = std::abs(difference);
  const QString digits = QString::number(size, 'f', size < 0.1 ? 3 : 2);
  if (digits == unchanged) return digits;
  return (difference < 0 ? QStringLiteral("−") : QStringLiteral("+")) + digits;
}

QString lossWords(const SequenceModel& sequence, TokenPos token) {
  const auto loss = sequence.loss(token);
  if (!loss) return {};
  return tr("loss %1 nats (p %2)").arg(QString::number(*loss, 'f', 2), probabilityWords(std::exp(-*loss)));
}

QString keptLossWords(const LossDifference& losses, TokenPos token) {
  const auto kept = losses.keptLoss(token);
  const auto difference = losses.at(token);
  if (!kept || !difference) return {};
  const QString there = QString::number(*kept, 'f', 2);
  const QString change = signedNats(*difference);
  if (change == unchanged) return tr("as the kept run's %1").arg(there);
  if (std::abs(*difference) < LossDifference::leastSaid) return tr("as the kept run's %1 (%2)").arg(there, change);
  const QString size = change.mid(1);
  return (*difference > 0 ? tr("%1 worse than the kept run's %2") : tr("%1 better than the kept run's %2"))
      .arg(size, there);
}

}  // namespace natscope::ui
