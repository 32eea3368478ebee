// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <optional>
#include <vector>

#include "ui/models/selection.h"
#include "ui/models/sequence_model.h"

namespace natscope::ui {

/// Where a text occurs in the sequence, as ranges of tokens. It may begin and end within a token, and go over several.
/// Upper and lower case are told apart only when what is sought has an upper-case letter. Or where one token of the
/// vocabulary does. Follows a growing sequence.
class TokenSearch : public QObject {
  Q_OBJECT

 public:
  struct Match {
    TokenPos first;
    TokenPos last;  ///< the same token when it lies within one
  };

  TokenSearch(SequenceModel& sequence, Selection& selection, QObject* parent = nullptr);

  /// Empty: nothing is sought. The selection stays; next() goes to a match.
  void setText(const QString& text);
  /// Every occurrence of this token, which people call `name`.
  void setToken(std::int32_t token, const QString& name);
  /// What is sought, or the name of the token that is.
  [[nodiscard]] const QString& text() const { return text_; }
  [[nodiscard]] std::optional<std::int32_t> token() const { return token_; }
  /// In order, without overlap.
  [[nodiscard]] const std::vector<Match>& matches() const { return matches_; }
  /// The match that next() or previous() went to last, while it is selected.
  [[nodiscard]] std::optional<std::size_t> current() const;
  /// Whether the token lies in a match.
  [[nodiscard]] bool isFound(TokenPos position) const;

  /// The match that next() would go to; null: none.
  [[nodiscard]] const Match* upcoming() const;

  /// Selects the first token of the next match after what is selected, or of the previous one; round the ends.
  void next();
  void previous();

 Q_SIGNALS:
  void changed();                            ///< what is sought, or the matches
  void jumped(natscope::TokenPos position);  ///< views bring the token into sight

 private:
  void restart();
  void readOn();
  void readTokensOn();
  void goTo(std::size_t match);
  [[nodiscard]] std::int32_t tokenAt(qsizetype offset) const;

  SequenceModel& sequence_;
  Selection& selection_;
  QString text_;
  std::optional<std::int32_t> token_;
  QString whole_;                  // the sequence's text
  std::vector<qsizetype> starts_;  // of each token in it
  qsizetype soughtTo_ = 0;         // no match begins before this offset, or token, that is not in matches_
  std::vector<Match> matches_;
};

}  // namespace natscope::ui
