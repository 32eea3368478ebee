// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/token_search.h"

#include <QSignalSpy>
#include <QTest>

using namespace natscope;
using namespace natscope::ui;

namespace {

SequenceRecord recordOf(const QStringList& tokens) {
  SequenceRecord record(CacheGeometry{.layers = 1, .kv_heads = 1, .head_dim = 8}, false, 2);
  for (const QString& text : tokens) {
    TokenFrame frame;
    frame.position = TokenPos(static_cast<std::int32_t>(record.size()));
    frame.text = text.toStdString();
    frame.roles = {Role::global};
    frame.entries = {static_cast<std::int32_t>(record.size()) + 1};
    if (!record.append(std::move(frame))) break;
  }
  return record;
}

}  // namespace

class TokenSearchTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    sequence_ = std::make_unique<SequenceModel>();
    sequence_->setSource([this]() -> const SequenceRecord& { return record_; });
    selection_ = std::make_unique<Selection>();
    search_ = std::make_unique<TokenSearch>(*sequence_, *selection_);
    show({QStringLiteral("<s>"), QStringLiteral(" Al"), QStringLiteral("ice"), QStringLiteral(" met"),
          QStringLiteral(" alice"), QString(), QStringLiteral("'s c"), QStringLiteral("at")},
         true);
  }

  void findsWithinAndAcrossTokens() {
    QCOMPARE(found(QStringLiteral("alice")), (QList<int>{1, 2, 4, 4}));
    QCOMPARE(found(QStringLiteral("Alice")), (QList<int>{1, 2}));
    QCOMPARE(found(QStringLiteral("ice m")), (QList<int>{2, 3}));
    QCOMPARE(found(QStringLiteral("cat")), (QList<int>{6, 7}));
    QCOMPARE(found(QStringLiteral("'")), (QList<int>{6, 6}));  // not the token without text before it
    QVERIFY(found(QStringLiteral("dog")).isEmpty());
    QVERIFY(found(QString()).isEmpty());
    search_->setText(QStringLiteral("alice"));
    const QList<bool> marked{false, true, true, false, true, false, false, false};
    for (int i = 0; i < marked.size(); ++i) QCOMPARE(search_->isFound(TokenPos(i)), marked[i]);
  }

  void findsATokenOfTheVocabulary() {
    record_ = {};
    SequenceRecord record(CacheGeometry{.layers = 1, .kv_heads = 1, .head_dim = 8}, false, 2);
    for (const std::int32_t token : {5, 7, 5, 9, 7, 5}) {
      TokenFrame frame;
      frame.position = TokenPos(static_cast<std::int32_t>(record.size()));
      frame.token = token;
      frame.text = token == 9 ? "a5" : "a";  // two tokens may read alike
      frame.roles = {Role::global};
      frame.entries = {static_cast<std::int32_t>(record.size()) + 1};
      QVERIFY(record.append(frame).has_value());
    }
    record_ = record;
    sequence_->refresh(true);
    selection_->setLimits(1, 1, 1, record_.size());
    search_->setToken(7, QStringLiteral("a"));
    QCOMPARE(search_->matches().size(), std::size_t{2});
    QVERIFY(search_->isFound(TokenPos(1)) && search_->isFound(TokenPos(4)) && !search_->isFound(TokenPos(0)));
    search_->next();
    QCOMPARE(selection_->pinned().back(), TokenPos(1));
    // It goes on with the text, and with another one.
    TokenFrame more = record_.frame(TokenPos(1));
    more.position = TokenPos(6);
    more.entries = {7};
    QVERIFY(record_.append(more).has_value());
    sequence_->refresh(false);
    QCOMPARE(search_->matches().size(), std::size_t{3});
    sequence_->refresh(true);
    QCOMPARE(search_->matches().size(), std::size_t{3});
    // A text ends it.
    search_->setText(QStringLiteral("a5"));
    QVERIFY(!search_->token());
    QCOMPARE(search_->matches().size(), std::size_t{1});
  }

  void goesRoundBothWays() {
    QSignalSpy jumped(search_.get(), &TokenSearch::jumped);
    search_->setText(QStringLiteral("e"));  // ice, met, alice
    QVERIFY(!search_->current());
    QList<int> way;
    for (int i = 0; i < 4; ++i) {
      search_->next();
      way << selection_->token()->value;
    }
    QCOMPARE(way, (QList<int>{2, 3, 4, 2}));
    QCOMPARE(search_->current().value_or(99), std::size_t{0});
    search_->previous();
    QCOMPARE(selection_->token()->value, 4);
    selection_->pin(TokenPos(1));
    QVERIFY(!search_->current());
    search_->next();
    QCOMPARE(selection_->token()->value, 2);
    // A cursor that rests on another token does not hide where one went.
    selection_->hover(TokenPos(7));
    search_->next();
    QCOMPARE(selection_->token()->value, 3);
    QCOMPARE(jumped.count(), 7);
    search_->setText(QStringLiteral("nowhere"));
    search_->next();
    search_->previous();
    QCOMPARE(selection_->token()->value, 3);
  }

  void followsATextThatGrowsAndOneThatIsReplaced() {
    search_->setText(QStringLiteral("cats"));
    QVERIFY(search_->matches().empty());
    QStringList longer = texts_;
    longer << QStringLiteral("s and cats");
    show(longer, false);
    QCOMPARE(ranges(), (QList<int>{6, 8, 8, 8}));
    show({QStringLiteral("cats")}, true);
    QCOMPARE(ranges(), (QList<int>{0, 0}));
    show({}, true);
    QVERIFY(ranges().isEmpty());
  }

 private:
  void show(const QStringList& texts, bool isRestarted) {
    texts_ = texts;
    record_ = recordOf(texts);
    selection_->setLimits(1, 1, 1, record_.size());
    sequence_->refresh(isRestarted);
  }
  QList<int> found(const QString& text) {
    search_->setText(text);
    return ranges();
  }
  /// First and last token of every match.
  QList<int> ranges() const {
    QList<int> all;
    for (const TokenSearch::Match& match : search_->matches()) all << match.first.value << match.last.value;
    return all;
  }

  QStringList texts_;
  SequenceRecord record_;
  std::unique_ptr<SequenceModel> sequence_;
  std::unique_ptr<Selection> selection_;
  std::unique_ptr<TokenSearch> search_;
};

QTEST_GUILESS_MAIN(TokenSearchTest)
#include "token_search_test.moc"
