// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QString>

#include "core/cache/policy.h"
#include "ui/bridge/engine_client.h"
#include "ui/models/sequence_model.h"

namespace natscope::ui {

/// One thing to know about what is shown: "W", "16", and in a sentence what that means.
struct RunFact {
  QString label;
  QString value;
  QString meaning;
};

/// The rules that what is shown was made under, most important first: policy, window W, global bias b where it is not
/// 0, λ or the mask of training where the model folder records them. Empty before there is a sequence.
[[nodiscard]] QList<RunFact> runFacts(const EngineClient& client);

/// One sentence where the policy is one that the model's training never saw, with learned roles or under another mask;
/// empty where it is the one it was trained for, or nobody knows.
[[nodiscard]] QString untrainedPolicyWords(const EngineClient& client);
/// The same of a run out of a file. `trainedUnder`: the mask of its model's training; empty: none, or not known.
[[nodiscard]] QString untrainedPolicyWords(const std::string& policy, bool hasScores,
                                           const std::string& trainedUnder = {});

/// How well the model predicts the prompt: exp of the mean loss of its tokens but the first, as `eval` counts a text of
/// one segment. An empty value where that is not known.
[[nodiscard]] RunFact perplexityFact(const SequenceModel& sequence, std::int64_t promptTokens);

/// "Reading the text: 512 of 32,768 tokens, about 25 min left": how long the rest takes where one would wait for it.
[[nodiscard]] QString readingWords(std::int64_t done, std::int64_t total, double seconds);

/// A policy in a few words: "StreamingLLM, 4 sinks"; its W is a fact of its own. `hasScores`: the model decides roles.
[[nodiscard]] QString policyWords(const Policy& policy, bool hasScores);

/// The cache after the last token: "31.0 %  1.05 of 3.38 MiB", live and dense, or in entries where nobody knows what
/// one costs; "–" before the first one.
[[nodiscard]] RunFact cacheFact(const SequenceRecord& record);
/// "1.05 of 3.38 MiB": one unit for both, by the larger.
[[nodiscard]] QString bytesOf(std::int64_t part, std::int64_t whole);

}  // namespace natscope::ui
