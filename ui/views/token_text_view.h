// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractScrollArea>

#include "core/explore/token_span.h"
#include "ui/figure/token_box.h"
#include "ui/figure/token_flow.h"
#include "ui/models/runs/loss_difference.h"
#include "ui/models/selection.h"
#include "ui/models/sequence_model.h"
#include "ui/models/token_search.h"

class QMenu;

namespace natscope::ui {

enum class TextColouring : std::uint8_t {
  role,            ///< the token's role in the chosen head; the mark below is solid (G), dashed (L) or dotted (S)
  heldShare,       ///< the share of heads that still hold it; the mark below is as long as the share
  loss,            ///< how surprising it was to the model
  lossDifference,  ///< how much more, or less, than to the kept run
};

/// The sequence as flowing text, token by token. What the chosen head has dropped is pale. Hover previews, click pins.
class TokenTextView : public QAbstractScrollArea {
  Q_OBJECT

 public:
  TokenTextView(SequenceModel& sequence, Selection& selection, QWidget* parent = nullptr);

  void setColouring(TextColouring colouring);
  [[nodiscard]] TextColouring colouring() const { return colouring_; }
  /// The prompt's; from there on tokens were generated, or given as follow-ups.
  void setPromptTokens(qint64 tokens);
  void setFollowUps(std::vector<TokenSpan> spans);

  /// Where differences to a kept run come from; without, no token has one.
  void setLosses(LossDifference& losses);

  /// Marks what is found, and brings what was gone to into sight.
  void setSearch(TokenSearch& search);
  void showToken(natscope::TokenPos position);
  /// While a search is typed: brings what it would go to next into sight, unless a match is there already. Where
  /// nothing is found, and before, what was in sight when it began or was scrolled to since.
  void showFound();
  void stayHere();

  /// The text of tokens first … end - 1 as it was read and written, without names for tokens that have none.
  [[nodiscard]] QString plainText(qint64 first, qint64 end) const;
  /// What Ctrl+C copies: from the first to the last pinned token where several are pinned, else everything.
  [[nodiscard]] QString copiedText() const;
  /// What the right button offers.
  void fillMenu(QMenu& menu);

  [[nodiscard]] QSize sizeHint() const override { return {480, 240}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {160, 22}; }

 Q_SIGNALS:
  void promptWanted(const QString& text);  ///< this text is to be the prompt

 protected:
  void contextMenuEvent(QContextMenuEvent* event) override;
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool viewportEvent(QEvent* event) override;

 private:
  /// The token so many lines below (above: negative); nothing beyond the text.
  [[nodiscard]] std::optional<std::int64_t> tokenByLine(std::int64_t token, int lines) const;
  void followPin();
  void extend();
  void relayout();
  [[nodiscard]] TokenLook lookOf(TokenPos position) const;
  [[nodiscard]] QString wordsOf(TokenPos position) const;
  /// What begins with a token, behind what somebody else wrote.
  enum class Beginning { writing, followUp };
  [[nodiscard]] std::optional<Beginning> beginningAt(std::size_t token) const;
  void drawToken(QPainter& painter, std::size_t token, const QRectF& rect) const;
  void drawFound(QPainter& painter, TokenPos position, const QRectF& frame) const;
  [[nodiscard]] std::optional<TokenPos> tokenAt(QPointF at) const;
  [[nodiscard]] bool hasMatchInSight() const;

  SequenceModel& sequence_;
  Selection& selection_;
  TokenSearch* search_ = nullptr;
  LossDifference* losses_ = nullptr;
  TokenFlow flow_;
  TextColouring colouring_ = TextColouring::role;
  std::optional<TokenPos> pin_;  // that was brought into sight
  int stays_ = 0;                // where one was before a search was typed, as the scroll bar has it
  qint64 promptTokens_ = 0;
  std::vector<TokenSpan> followUps_;
  bool wasGenerated_ = false;
};

}  // namespace natscope::ui
