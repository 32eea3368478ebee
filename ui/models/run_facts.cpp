// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/run_facts.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "core/explore/run_figures.h"
#include "ui/models/grouped_number.h"

namespace natscope::ui {
namespace {

constexpr std::size_t shownPositions = 4;

QString tr(const char* words) { return QCoreApplication::translate("RunFacts", words); }

/// As many digits as it takes, no more: 0.1, 5e-09.
QString shortest(double value) { return QString::number(value, 'g', 6); }

QString positionsText(const std::vector<TokenPos>& positions) {
  QStringList words;
  for (std::size_t i = 0; i < std::min(positions.size(), shownPositions); ++i)
    words.append(groupedNumber(positions[i].value));
  if (positions.size() > shownPositions) words.append(QStringLiteral("…"));
  return words.join(QStringLiteral(", "));
}

QString binaryUnit(std::int64_t bytes, double& unit) {
  unit = 1024;
  if (bytes < 1024 * 1024) return QStringLiteral("KiB");
  unit *= 1024;
  if (bytes < std::int64_t{1} * 1024 * 1024 * 1024) return QStringLiteral("MiB");
  unit *= 1024;
  return QStringLiteral("GiB");
}

QString inUnit(std::int64_t bytes, double unit) {
  const double value = static_cast<double>(bytes) / unit;
  return QString::number(value, 'f', value < 10 ? 2 : value < 100 ? 1 : 0);
}

/// Whether a model's own roles are learned ones. A trace need not hold the scores; W then says it, unless a person set
/// it.
bool hasLearnedRoles(const EngineClient& client) {
  const SequenceRecord& record = client.record();
  return record.has_scores() || (record.window() && !client.setByHand().window);
}

}  // namespace

QString policyWords(const Policy& policy, bool hasScores) {
  switch (policy.kind) {
    case Policy::Kind::model:
      return hasScores ? tr("learned roles") : tr("full attention (no score layers)");
    case Policy::Kind::full:
      return tr("full attention");
    case Policy::Kind::window:
      return tr("sliding window");
    case Policy::Kind::longformer:
      return policy.global_positions.empty() ? tr("Longformer")
                                             : tr("Longformer, global %1").arg(positionsText(policy.global_positions));
    case Policy::Kind::streaming:
      return tr("StreamingLLM, %1 sinks").arg(groupedNumber(policy.sinks));
    case Policy::Kind::h2o:
      return tr("H2O, %1 heavy + %2 recent").arg(groupedNumber(policy.heavy), groupedNumber(policy.recent));
    case Policy::Kind::tova:
      return tr("TOVA, %1 entries").arg(groupedNumber(policy.heavy));
    case Policy::Kind::snapkv:
      return tr("SnapKV, %1 of the prompt, the last %2 among them")
          .arg(groupedNumber(policy.heavy + policy.recent), groupedNumber(policy.recent));
    case Policy::Kind::pyramidkv:
      return tr("PyramidKV, %1 of the prompt in the mean of layers, the last %2 among them")
          .arg(groupedNumber(policy.heavy + policy.recent), groupedNumber(policy.recent));
    case Policy::Kind::adakv:
      return tr("Ada-KV, %1 of the prompt in the mean of a layer's heads, the last %2 among them")
          .arg(groupedNumber(policy.heavy + policy.recent), groupedNumber(policy.recent));
  }
  return {};
}

QString untrainedPolicyWords(const std::string& policy, bool hasScores, const std::string& trainedUnder) {
  const auto parsed = parse_policy(policy);
  if (!parsed || parsed->kind == Policy::Kind::model) return {};
  if (hasScores) return tr("the model was trained with its learned roles, not under this policy");
  if (trainedUnder.empty()) return {};  // full attention, for which policies of this kind were made, or not known
  const auto trained = parse_policy(trainedUnder);
  if (!trained || *trained == *parsed) return {};
  return tr("the model was trained under %1, not under this policy").arg(QString::fromStdString(trainedUnder));
}

QString untrainedPolicyWords(const EngineClient& client) {
  if (client.record().size() == 0) return {};
  // That there are learned roles the record itself says, whichever model is open.
  const bool isOpen = client.isOfOpenModel();
  return untrainedPolicyWords(client.policy(), client.record().has_scores(),
                              isOpen ? client.model()->training_policy : std::string());
}

QList<RunFact> runFacts(const EngineClient& client) {
  const SequenceRecord& record = client.record();
  QList<RunFact> facts;
  if (record.size() == 0) return facts;
  const auto policy = parse_policy(client.policy());
  const bool hasLearned = hasLearnedRoles(client);
  const QString written = QString::fromStdString(client.policy());
  facts.append({tr("policy"), policy ? policyWords(*policy, hasLearned) : written,
                tr("What decided how long the tokens that are shown stay in the cache: %1").arg(written)});
  if (const QString untrained = untrainedPolicyWords(client); !untrained.isEmpty())
    facts.last().meaning += tr("\nNot a fair baseline: %1.").arg(untrained);
  // Where what is attended to decides, no W is in force.
  if (const auto window = record.window(); window && (!policy || has_roles(*policy))) {
    facts.append({QStringLiteral("W"), groupedNumber(*window),
                  tr("Window: a Sliding token is visible to this many queries after its own")});
  }
  const auto& model = client.model();
  if (!model || !client.isOfOpenModel()) return facts;
  const bool isLearned = policy && policy->kind == Policy::Kind::model && hasLearned;
  if (isLearned && model->global_bias && *model->global_bias != 0) {
    facts.append({tr("bias b"), shortest(*model->global_bias),
                  tr("Added to the score of Global at inference: above 0, more tokens are kept for ever")});
  }
  if (model->lambda) {
    facts.append({tr("trained λ"), shortest(*model->lambda),
                  tr("Weight of the sparsity term in training (sparse_regularized_value in config.json)")});
  }
  if (!model->training_policy.empty()) {
    facts.append({tr("trained under"), QString::fromStdString(model->training_policy),
                  tr("The fixed mask of training, as config.json records it; the policy of the same name runs it so")});
  }
  return facts;
}

RunFact perplexityFact(const SequenceModel& sequence, std::int64_t promptTokens) {
  const std::int64_t tokens = std::min<std::int64_t>(promptTokens, sequence.size());
  const auto mean = sequence.meanLoss(tokens);
  if (!mean) return {tr("perplexity"), {}, {}};
  if (drops_after_reading(sequence.record(), tokens)) {
    return {tr("perplexity before the drop"), perplexityText(std::exp(*mean)),
            tr("Of the prompt, all of which was read before anything was dropped: full attention's, which says nothing "
               "of what is held. natscope-cli eval --read N scores what stands behind a prompt")};
  }
  return {tr("perplexity"), perplexityText(std::exp(*mean)),
          tr("Of the prompt: exp of the mean loss of its %1 tokens but the first, %2 nats. What the model wrote itself "
             "does not count.\nWhich tokens it is made of: colour the text by surprise (C)")
              .arg(groupedNumber(tokens), QString::number(*mean, 'f', 4))};
}

QString readingWords(std::int64_t done, std::int64_t total, double seconds) {
  constexpr double soonest = 2;  // after which a rate is one
  constexpr double shortest = 10;
  const QString words = tr("Reading the text: %1 of %2 tokens").arg(groupedNumber(done), groupedNumber(total));
  const double left = done > 0 ? seconds * static_cast<double>(total - done) / static_cast<double>(done) : 0;
  if (seconds < soonest || left < shortest) return words;
  const auto minutes = std::llround(left / 60);
  return words + (left < 90 ? tr(", about %1 s left").arg(10 * std::llround(left / 10))
                            : tr(", about %1 min left").arg(groupedNumber(minutes)));
}

QString bytesOf(std::int64_t part, std::int64_t whole) {
  double unit = 1;
  const QString name = binaryUnit(std::max(part, whole), unit);
  return tr("%1 of %2 %3").arg(inUnit(part, unit), inUnit(whole, unit), name);
}

RunFact cacheFact(const SequenceRecord& record) {
  if (record.size() == 0) return {tr("KV"), QStringLiteral("–"), {}};
  const CacheCounts& counts = record.frames().back().counts;
  if (record.geometry().head_dim == 0) {
    const std::int64_t dense = counts.tokens * record.geometry().layers * record.geometry().kv_heads;
    return {tr("KV"),
            percentText(counts.fraction) + QStringLiteral("  ") +
                tr("%1 of %2 entries").arg(groupedNumber(counts.entries), groupedNumber(dense)),
            tr("What the cache holds after the last token, of what full attention would hold, over all layers and "
               "heads.\nHow large an entry is the recording does not say.\nCounted as the paper does, with the whole "
               "window: %1")
                .arg(percentText(counts.paper_fraction))};
  }
  const QString allocated =
      record.knows_allocated()
          ? tr("allocated in whole pages: %1").arg(bytesOf(counts.allocated_bytes, counts.dense_bytes))
          : tr("what is allocated for them the recording does not say");
  return {
      tr("KV"), percentText(counts.fraction) + QStringLiteral("  ") + bytesOf(counts.live_bytes, counts.dense_bytes),
      tr("What the cache holds after the last token, of what full attention would hold, over all layers and heads.\n"
         "%1 entries; %2.\nCounted as the paper does, with the whole window: %3")
          .arg(groupedNumber(counts.entries), allocated, percentText(counts.paper_fraction))};
}

}  // namespace natscope::ui
