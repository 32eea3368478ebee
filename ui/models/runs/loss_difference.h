// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <memory>
#include <optional>
#include <vector>

#include "ui/models/runs/kept_run.h"
#include "ui/models/sequence_model.h"

namespace natscope::ui {

/// What the present run's losses are beside those of a kept one, token by token: what a policy costs, and where. Only
/// tokens compare before which both runs read the same: those up to the first one that differs.
class LossDifference : public QObject {
  Q_OBJECT

 public:
  /// Differences below it count as none: numbers on screen have two digits.
  static constexpr double leastSaid = 0.005;

  explicit LossDifference(SequenceModel& sequence, QObject* parent = nullptr);

  /// The run to compare with, or null.
  void setKept(const std::shared_ptr<const KeptRun>& kept);
  [[nodiscard]] bool hasKept() const { return kept_ != nullptr; }

  /// How many tokens both runs have in common from the beginning.
  [[nodiscard]] std::int64_t tokens() const { return static_cast<std::int64_t>(differences_.size()); }
  /// The present run's loss less the kept one's, in nats: above 0 the token is predicted worse now. Nothing beyond
  /// tokens(), and where one of both is not known.
  [[nodiscard]] std::optional<double> at(TokenPos position) const;
  /// The kept run's loss of a token that both have.
  [[nodiscard]] std::optional<double> keptLoss(TokenPos position) const;
  /// Mean over the tokens of which both losses are known; nothing where there are none.
  [[nodiscard]] std::optional<double> mean() const;
  [[nodiscard]] std::int64_t compared() const { return compared_; }
  /// How many of them are predicted worse, and better, by leastSaid or more.
  [[nodiscard]] std::int64_t worse() const { return worse_; }
  [[nodiscard]] std::int64_t better() const { return better_; }
  /// Where colours end: widest_shown_difference.
  [[nodiscard]] double range() const { return range_; }
  /// Why no token compares, in words; empty where some do.
  [[nodiscard]] QString whyNone() const;

 Q_SIGNALS:
  void changed();

 private:
  void restart();
  void extend();
  void findRange();

  SequenceModel& sequence_;
  std::shared_ptr<const KeptRun> kept_;
  std::vector<float> differences_;  // NaN where not known
  std::size_t rangedAt_ = 0;        // how many differences the range is of
  double sum_ = 0;
  std::int64_t compared_ = 0;
  std::int64_t worse_ = 0;
  std::int64_t better_ = 0;
  double range_ = 0.1;
};

}  // namespace natscope::ui
