// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/cache/policy.h"
#include "core/explore/sequence_record.h"

namespace natscope::ui {

/// The sequence that views draw: a record that somebody else owns and lengthens, and its tokens as Qt strings.
class SequenceModel : public QObject {
  Q_OBJECT

 public:
  explicit SequenceModel(QObject* parent = nullptr) : QObject(parent) {}

  /// Where the record is, and how tokens are called. The reference that `source` returns is used at once and not kept.
  void setSource(std::function<const SequenceRecord&()> source, std::function<QString(std::int32_t token)> nameOf = {});

  /// What decides how long tokens stay, as a trace says it; roles, until it is set.
  void setPolicy(std::function<std::string()> policy) { policy_ = std::move(policy); }

  [[nodiscard]] const SequenceRecord& record() const;
  /// Not so under policies without roles and the methods of other programs: they have none, though their record calls
  /// every token global.
  [[nodiscard]] bool hasRoles() const { return !policy_ || has_roles(policy_()); }
  /// What such a method is called: "H2O".
  [[nodiscard]] QString method() const { return policy_ ? QString::fromStdString(method_name(policy_())) : QString(); }
  [[nodiscard]] qint64 size() const { return record().size(); }
  [[nodiscard]] bool isEmpty() const { return size() == 0; }
  /// The token's text as it stands in the sequence; empty beyond its end.
  [[nodiscard]] const QString& text(TokenPos position) const;
  /// The same, or how a token without a text of its own is called: “<s>” in front, a part of a character.
  [[nodiscard]] QString name(TokenPos position) const;

  /// As the record's; empty for a head that it does not have.
  [[nodiscard]] std::span<const Role> roles(LayerId layer, KvHeadId kvHead) const;
  [[nodiscard]] std::span<const std::int32_t> lastQuery(LayerId layer, KvHeadId kvHead) const;

  /// Whether one head still holds the token after the last one of the record.
  [[nodiscard]] bool isHeld(LayerId layer, KvHeadId kvHead, TokenPos position) const;
  /// Share of all (layer, KV head) pairs that still hold it, 0 … 1.
  [[nodiscard]] double heldShare(TokenPos position) const;

  /// How surprising the token was to the model: −ln of its probability, in nats. Nothing for the first one, and where a
  /// record does not say it.
  [[nodiscard]] std::optional<double> loss(TokenPos position) const;
  /// Mean of the losses of the first `tokens` tokens but the very first; nothing where one of them is not known, or
  /// none was predicted. Its exponential is their perplexity. Cost: O(1).
  [[nodiscard]] std::optional<double> meanLoss(qint64 tokens) const;

  /// The record was replaced (`restarted`) or got longer.
  void refresh(bool restarted);

 Q_SIGNALS:
  void restarted();  ///< another sequence, perhaps of another shape
  void extended();   ///< more tokens at the end

 private:
  [[nodiscard]] bool has(LayerId layer, KvHeadId kvHead) const;

  std::function<const SequenceRecord&()> source_;
  std::function<QString(std::int32_t token)> nameOf_;
  std::function<std::string()> policy_;
  std::vector<QString> texts_;
  std::vector<double> lossSums_;  // of the tokens up to each one; NaN from one on that is not known
};

}  // namespace natscope::ui
