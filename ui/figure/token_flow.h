// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFontMetricsF>
#include <QHash>
#include <QRectF>
#include <QString>
#include <optional>
#include <vector>

#include "ui/figure/token_direction.h"

namespace natscope::ui {

/// Tokens as flowing text: where each one stands. Lines break before a word where that is possible, and after line
/// breaks in the text. Appending costs the last line, not the whole text.
///
/// A paragraph whose first letter is Hebrew, Arabic or alike begins at the right; what is read from the right within a
/// line stands so, token by token. Inside a token its letters are ordered by whoever draws it.
class TokenFlow {
 public:
  /// `smallestWidth`: of a token, however little it shows; on screen one must be able to point at it.
  explicit TokenFlow(const QFontMetricsF& metrics, double smallestWidth = 6)
      : metrics_(metrics), smallestWidth_(smallestWidth) {}

  void setWidth(double width);  ///< lays everything out again when it changed
  void clear();
  void append(const QString& text);

  [[nodiscard]] std::size_t size() const { return tokens_.size(); }
  /// How many texts were measured: one that comes again is known.
  [[nodiscard]] std::size_t measuredTexts() const { return static_cast<std::size_t>(widths_.size()); }
  [[nodiscard]] double lineHeight() const;
  [[nodiscard]] double height() const;
  [[nodiscard]] QRectF rectOf(std::size_t token) const;
  /// Whether a token's paragraph is read from the right.
  [[nodiscard]] bool isRightToLeft(std::size_t token) const { return tokens_[token].isParagraphRightToLeft; }
  /// Whether the token itself is: what precedes it then stands on its right.
  [[nodiscard]] bool isReadFromRight(std::size_t token) const { return tokens_[token].isReadFromRight; }
  /// What to draw: line breaks and tabs as signs.
  [[nodiscard]] const QString& shown(std::size_t token) const { return tokens_[token].shown; }
  [[nodiscard]] std::optional<std::size_t> tokenAt(QPointF at) const;
  /// The same, or where none stands there the nearest one of that line.
  [[nodiscard]] std::optional<std::size_t> tokenNearest(QPointF at) const;
  /// First token whose line is at or below `y`.
  [[nodiscard]] std::size_t firstAtOrBelow(double y) const;

 private:
  struct Token {
    QString shown;
    double width = 0;
    double x = 0;
    int line = 0;
    TokenDirection direction = TokenDirection::neutral;
    bool beginsWord = false;
    bool endsLine = false;
    bool isParagraphRightToLeft = false;
    bool isReadFromRight = false;
  };
  void place(std::size_t index);
  void begin();
  void beginParagraph(std::size_t first);
  void followDirection(std::size_t index);
  void turnParagraph(std::size_t end);
  void orderLine(std::size_t first, std::size_t end);
  [[nodiscard]] double widthOf(const QString& shown);

  QFontMetricsF metrics_;
  QHash<QString, double> widths_;  ///< measuring is what a long text would cost most
  double smallestWidth_;
  double width_ = 0;
  std::vector<Token> tokens_;
  double nextX_ = 0;
  int nextLine_ = 0;
  std::size_t lineStart_ = 0;
  std::size_t wordStart_ = 0;
  std::size_t paragraphStart_ = 0;
  bool knowsDirection_ = false;  ///< of the paragraph: it has had a letter
  bool isRightToLeft_ = false;   ///< the paragraph
  bool hasRightToLeft_ = false;  ///< the line has letters that are read from the right
};

}  // namespace natscope::ui
