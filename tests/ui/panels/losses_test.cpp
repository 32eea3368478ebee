// SPDX-License-Identifier: GPL-3.0-or-later
// How surprising tokens were: losses of a run and its perplexity, their difference to a kept run, what text and token
// panel say of them. Without a model: a session is shown.
#include <QApplication>
#include <QComboBox>
#include <QImage>
#include <QLineEdit>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>

#include "tests/ui/painted_words.h"
#include "tests/ui/panels/made_up_session.h"
#include "ui/models/grouped_number.h"
#include "ui/models/run_facts.h"
#include "ui/models/runs/run_list.h"
#include "ui/models/runs/token_words.h"
#include "ui/panels/text_panel.h"
#include "ui/panels/token_panel.h"
#include "ui/theme/theme.h"
#include "ui/views/loss_look.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

constexpr std::int32_t length = 40;

}  // namespace

class LossesTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    ThemeSwitch::instance().apply(*qApp, Theme::light);
    settings_ = std::make_unique<Settings>(folder_.filePath(QStringLiteral("settings-%1.ini").arg(++runs_)));
    workbench_ = std::make_unique<Workbench>(*settings_);
    comparison_ = std::make_unique<RunComparison>(*workbench_);
    show([](std::int32_t) { return 0.25; });
  }

  void cleanup() {
    comparison_.reset();
    workbench_.reset();
  }

  void aLossIsMinusLnOfTheProbability() {
    show([](std::int32_t n) { return n == 7 ? 0.5 : 0.25; });
    QVERIFY(!sequence().loss(TokenPos(0)));
    QVERIFY(!sequence().loss(TokenPos(length)));
    QCOMPARE(*sequence().loss(TokenPos(7)), std::log(2.0));
    QVERIFY(!sequence().meanLoss(1));
    QVERIFY(!sequence().meanLoss(length + 1));
    QCOMPARE(*sequence().meanLoss(2), std::log(4.0));
    // As the command line counts it, of every beginning.
    for (const std::int64_t tokens : {2, 8, 9, length})
      QCOMPARE(std::exp(*sequence().meanLoss(tokens)), *prompt_perplexity(sequence().record(), tokens));
    QCOMPARE(perplexityFact(sequence(), length).value,
             QString::number(*prompt_perplexity(sequence().record(), length), 'f', 3));
    // From a token on that is not known, nothing is.
    show([](std::int32_t n) { return n == 7 ? 0.0 : 0.25; });
    QVERIFY(!sequence().loss(TokenPos(7)));
    QVERIFY(sequence().meanLoss(7));
    QVERIFY(!sequence().meanLoss(8));
    QVERIFY(perplexityFact(sequence(), length).value.isEmpty());
    QVERIFY(!perplexityFact(sequence(), 7).value.isEmpty());
  }

  /// The line above the chart is said anew with every token: it must not read the whole prompt each time.
  void promptsAreReadOnceForTheirPerplexities() {
    comparison_->keep();
    show([](std::int32_t n) { return n == 5 ? 0.125 : 0.25; });
    const QString words = comparison_->inWords();
    QVERIFY2(words.contains(QStringLiteral("perplexity of the prompt")), qPrintable(words));
    const std::int64_t before = comparison_->promptsRead();
    for (int leftOut = 0; leftOut <= RunComparison::mostLeftOut; ++leftOut) (void)comparison_->inWords(leftOut);
    QCOMPARE(comparison_->inWords(), words);
    QCOMPARE(comparison_->promptsRead(), before);
    // Another run, or another one to compare with, has other ones.
    show([](std::int32_t) { return 0.5; });
    QVERIFY(comparison_->inWords() != words);
    const QString other = comparison_->inWords();
    comparison_->keep();
    QVERIFY(comparison_->inWords() != other);
  }

  void aPromptInOtherTokensIsTheSamePrompt() {
    comparison_->keep();
    show([](std::int32_t) { return 0.5; }, 3);
    QVERIFY2(comparison_->inWords().contains(QStringLiteral("tokenizers differ")), qPrintable(comparison_->inWords()));
    QVERIFY(comparison_->inWords(RunComparison::mostLeftOut).contains(QStringLiteral("other tokenizers")));
    workbench_->showSession(madeUpSession(
        2, 2, length - 1, [](std::int32_t) { return 0.5; }, 3));
    QVERIFY2(comparison_->inWords().contains(QStringLiteral("other prompts")), qPrintable(comparison_->inWords()));
  }

  /// What one script calls a prompt is another one's prompt and continuation.
  void aPromptIsItsTokens() {
    comparison_->keep();
    Session session = madeUpSession(
        2, 2, length, [](std::int32_t) { return 0.5; }, length);
    session.prompt_tokens = length - 10;
    workbench_->showSession(session);
    RunList list(*workbench_, *comparison_);
    for (const auto& row : list.rows()) {
      QVERIFY(row.figures.is_same_text);
      QCOMPARE(row.figures.outcome.figures.tokens, length - 10);
    }
    QCOMPARE(list.rows().size(), 2U);
    QVERIFY2(comparison_->inWords().contains(QStringLiteral("perplexity of the prompt")),
             qPrintable(comparison_->inWords()));
  }

  /// What compresses a cache behind the prompt has read it with full attention: no number beside what it holds.
  void whatDropsAfterReadingHasNoPerplexity() {
    comparison_->keep();
    Session session = madeUpSession(
        2, 2, length, [](std::int32_t) { return 0.5; }, length, "SnapKV 8");
    SequenceRecord dropping(session.record.geometry(), true, 2);
    for (TokenFrame frame : session.record.frames()) {
      const std::int64_t tokens = frame.position.value + 1;
      frame.counts = count_cache(dropping.geometry(), tokens, tokens == length ? 32 : 4 * tokens, 0, {});
      QVERIFY(dropping.append(std::move(frame)));
    }
    session.record = std::move(dropping);
    workbench_->showSession(session);
    const RunList list(*workbench_, *comparison_);
    QVERIFY(list.rows().front().figures.outcome.drops_after_reading);
    QVERIFY(!perplexity_of(list.rows().front().figures));
    QCOMPARE(perplexityFact(sequence(), length).label, QStringLiteral("perplexity before the drop"));
    QCOMPARE(perplexityFact(sequence(), length - 1).label, QStringLiteral("perplexity"));
    QVERIFY2(comparison_->inWords().contains(QStringLiteral("before anything was dropped")),
             qPrintable(comparison_->inWords()));
  }

  /// The record has scores, so that there are learned roles is known without the model.
  void aBaselineOutOfAFileKeepsItsCaveat() {
    QVERIFY(untrainedPolicyWords(workbench_->client()).isEmpty());
    show([](std::int32_t) { return 0.5; }, length, "streaming:4,16");
    QVERIFY(!untrainedPolicyWords(workbench_->client()).isEmpty());
    comparison_->keep();
    const auto saved = comparison_->asSession();
    comparison_->drop();
    show([](std::int32_t) { return 0.25; });
    QVERIFY(comparison_->restore(*saved));
    QVERIFY2(comparison_->inWords().contains(QStringLiteral("trained with its learned roles")),
             qPrintable(comparison_->inWords()));
  }

  void aTypedSearchIsSeenAndChoosesNothing() {
    workbench_->showSession(madeUpSession(
        1, 1, 3000, [](std::int32_t) { return 0.25; }, 3000));
    TextPanel panel(*workbench_, *comparison_);
    panel.resize(500, 300);
    panel.show();
    QVERIFY(QTest::qWaitForWindowExposed(&panel));
    QScrollBar& bar = *panel.text().verticalScrollBar();
    QVERIFY(bar.maximum() > 2000);
    panel.beginSearch();
    auto* const field = panel.findChild<QLineEdit*>(QStringLiteral("search"));
    const auto type = [&](const QString& text) {
      field->selectAll();
      QTest::keyClicks(field, text);
    };
    type(QStringLiteral("t7"));
    QCOMPARE(bar.value(), 0);  // it is there
    type(QStringLiteral("t1500"));
    const int found = bar.value();
    QVERIFY(found > 100);
    QVERIFY(workbench_->selection().pinned().empty());
    type(QStringLiteral("t1500x"));
    QCOMPARE(bar.value(), 0);  // nowhere: back where one was
    type(QStringLiteral("t1500"));
    QCOMPARE(bar.value(), found);
    QTest::keyClick(field, Qt::Key_Return);
    QCOMPARE(workbench_->selection().pinned(), std::vector<TokenPos>{TokenPos(1500)});
    QCOMPARE(bar.value(), found);
    type(QStringLiteral("nowhere"));
    QCOMPARE(bar.value(), found);
    // Who scrolls meanwhile stays there.
    bar.triggerAction(QAbstractSlider::SliderToMaximum);
    type(QStringLiteral("nobody"));
    QCOMPARE(bar.value(), bar.maximum());
    type(QStringLiteral("t2999"));
    QCOMPARE(bar.value(), bar.maximum());
  }

  void differencesAreOfTheSameTokensOnly() {
    LossDifference& losses = comparison_->losses();
    QVERIFY(losses.whyNone().contains(QStringLiteral("no run is kept")));
    QSignalSpy changed(&losses, &LossDifference::changed);
    comparison_->keep();
    QCOMPARE(changed.count(), 1);  // each costs every view of losses a picture
    QCOMPARE(losses.tokens(), std::int64_t{length});
    QCOMPARE(*losses.mean(), 0.0);
    QCOMPARE(losses.worse() + losses.better(), std::int64_t{0});
    // Two tokens are predicted worse, one better, and from token 30 on the text is another one.
    show([](std::int32_t n) { return n == 5 || n == 6 ? 0.125 : n == 9 ? 0.5 : 0.25; }, 30);
    QCOMPARE(losses.tokens(), std::int64_t{30});
    QCOMPARE(losses.compared(), std::int64_t{29});
    QCOMPARE(losses.worse(), std::int64_t{2});
    QCOMPARE(losses.better(), std::int64_t{1});
    QVERIFY(std::abs(*losses.at(TokenPos(5)) - std::log(2.0)) < 1e-6);
    QVERIFY(std::abs(*losses.at(TokenPos(9)) + std::log(2.0)) < 1e-6);
    QCOMPARE(*losses.at(TokenPos(10)), 0.0);
    QVERIFY(!losses.at(TokenPos(0)));
    QVERIFY(!losses.at(TokenPos(30)));
    QVERIFY(std::abs(*losses.mean() - std::log(2.0) / 29) < 1e-6);
    QCOMPARE(losses.range(), 1.0);  // ln 2 rounded up to 1, 2 or 5
    QCOMPARE(keptLossWords(losses, TokenPos(5)), QStringLiteral("0.69 worse than the kept run's 1.39"));
    QCOMPARE(keptLossWords(losses, TokenPos(9)), QStringLiteral("0.69 better than the kept run's 1.39"));
    QCOMPARE(keptLossWords(losses, TokenPos(10)), QStringLiteral("as the kept run's 1.39"));
    QVERIFY(keptLossWords(losses, TokenPos(30)).isEmpty());
    QCOMPARE(lossWords(sequence(), TokenPos(9)), QStringLiteral("loss 0.69 nats (p 50 %)"));
    // Another text altogether.
    show([](std::int32_t) { return 0.25; }, 0);
    QCOMPARE(losses.tokens(), std::int64_t{0});
    QVERIFY(!losses.mean());
    QVERIFY(losses.whyNone().contains(QStringLiteral("another text")));
    changed.clear();
    comparison_->drop();
    QVERIFY(!losses.hasKept());
    QCOMPARE(changed.count(), 1);
  }

  void aPerplexityOfAnySizeHasRoom() {
    QCOMPARE(perplexityText(40.2041), QStringLiteral("40.204"));
    QCOMPARE(perplexityText(6518.598), QStringLiteral("6,518.598"));
    QCOMPARE(perplexityText(0), QStringLiteral("0.000"));
    QCOMPARE(perplexityText(1741197711778905925696.0), QStringLiteral("1.74e+21"));
  }

  void aLongTextSaysHowLongItTakes() {
    const auto left = [](std::int64_t done, std::int64_t total, double seconds) {
      return readingWords(done, total, seconds).section(QStringLiteral("tokens"), 1);
    };
    QCOMPARE(readingWords(512, 32768, 0.5), QStringLiteral("Reading the text: 512 of 32,768 tokens"));
    QCOMPARE(left(512, 32768, 24), QStringLiteral(", about 25 min left"));
    QCOMPARE(left(100, 300, 20), QStringLiteral(", about 40 s left"));
    QCOMPARE(left(290, 300, 20), QString());  // soon
    QCOMPARE(left(0, 300, 20), QString());
    QCOMPARE(left(300, 300, 20), QString());
  }

  void coloursAndMarksSayHowMuchAndWhichWay() {
    const TokenLook none = lookOfLoss(std::nullopt);
    QCOMPARE(none.fill.alpha(), 0);
    QCOMPARE(none.markShare, 0.0);
    QVERIFY(lookOfLoss(4.0).fill.alpha() > lookOfLoss(2.0).fill.alpha());
    QCOMPARE(lookOfLoss(4.0).markShare, 0.5);
    QCOMPARE(lookOfLoss(50.0).markShare, 1.0);
    const TokenLook worse = lookOfLossDifference(0.5, 1);
    const TokenLook better = lookOfLossDifference(-0.5, 1);
    QCOMPARE(worse.markShare, better.markShare);
    QVERIFY(worse.mark != better.mark);
    QVERIFY(worse.markStyle != better.markStyle);
    QCOMPARE(lookOfLossDifference(0.0, 1).fill.alpha(), 0);
    for (const Theme theme : {Theme::light, Theme::dark}) {
      ThemeSwitch::instance().apply(*qApp, theme);
      QVERIFY(lookOfLossDifference(1.0, 1).mark != lookOfLossDifference(-1.0, 1).mark);
    }
  }

  void theTextPanelSaysWhatItsColoursMean() {
    TextPanel panel(*workbench_, *comparison_);
    panel.resize(560, 300);
    auto* const choice = panel.findChild<QComboBox*>(QStringLiteral("colouring"));
    auto* const legend = panel.findChild<LossLegend*>();
    QCOMPARE(choice->count(), 4);
    QVERIFY(legend->isHidden());
    const QImage roles = panel.grab().toImage();
    panel.nextColouring();
    panel.nextColouring();
    QCOMPARE(panel.text().colouring(), TextColouring::loss);
    QVERIFY(!legend->isHidden());
    QVERIFY(legend->words().contains(QStringLiteral("nats")));
    QCOMPARE(panel.meaning(), QStringLiteral("surprise: mean 1.386 nats"));
    QVERIFY2(legend->toolTip().contains(QStringLiteral("perplexity 4.000")), qPrintable(legend->toolTip()));
    QVERIFY(panel.words().isEmpty());
    QVERIFY(panel.grab().toImage() != roles);
    // What needs a kept run is left out by the key, and explained in the list.
    panel.nextColouring();
    QCOMPARE(panel.text().colouring(), TextColouring::role);
    choice->setCurrentIndex(3);
    QVERIFY(panel.words().contains(QStringLiteral("no run is kept")));

    comparison_->keep();
    show([](std::int32_t n) { return n == 5 ? 0.125 : 0.25; });
    QCOMPARE(panel.meaning(), QStringLiteral("surprise vs kept: mean +0.018"));
    QVERIFY(legend->toolTip().contains(QStringLiteral("1 worse now, 0 better")));
    QCOMPARE(legend->words(), QStringLiteral("−0.05 +0.05 nats worse"));
    const QImage before = panel.grab().toImage();
    show([](std::int32_t n) { return n == 5 ? 0.5 : 0.25; });
    QCOMPARE(panel.meaning(), QStringLiteral("surprise vs kept: mean −0.018"));
    QVERIFY(panel.grab().toImage() != before);
    show([](std::int32_t) { return 0.25; }, 20);
    QCOMPARE(panel.words(), QStringLiteral("the same text up to token 19"));
    comparison_->drop();
    QCOMPARE(panel.text().colouring(), TextColouring::loss);
  }

  void scoresSayWhatDidNotAskThem() {
    // Token 0 is Global by rule, whatever is scored highest.
    QVERIFY(
        tokenScores(*workbench_, TokenPos(0))->headings.first().contains(QStringLiteral("the first is always Global")));
    QCOMPARE(tokenScores(*workbench_, TokenPos(3))->headings,
             (QStringList{QStringLiteral("scores, margin 2.00"), QStringLiteral("margin 2.00")}));
    show([](std::int32_t) { return 0.25; }, length, "streaming:2,4");
    QVERIFY(tokenScores(*workbench_, TokenPos(3))->headings.first().contains(QStringLiteral("the policy decides")));
    show([](std::int32_t) { return 0.25; }, length, "h2o:2,4");
    QVERIFY(tokenScores(*workbench_, TokenPos(3))->headings.first().contains(QStringLiteral("H2O decides")));
    show([](std::int32_t) { return 0.25; }, length, "SnapKV 512");
    QVERIFY(tokenScores(*workbench_, TokenPos(3))->headings.first().contains(QStringLiteral("SnapKV 512 decides")));
    TextPanel panel(*workbench_, *comparison_);
    panel.resize(900, 400);
    QVERIFY2(panel.words().contains(QStringLiteral("SnapKV 512 has no roles")), qPrintable(panel.words()));
  }

  /// As the role map has it: held by all heads but one is not held by all, and what may come is never impossible.
  void whatIsNearlyAllIsNotSaidToBeAll() {
    constexpr std::int32_t heads = 300;
    Session session;
    session.record = SequenceRecord(CacheGeometry{.layers = 1, .kv_heads = heads, .head_dim = 8}, false, 2);
    for (std::int32_t position = 0; position < 8; ++position) {
      TokenFrame frame;
      frame.position = TokenPos(position);
      frame.token = position;
      frame.text = "t";
      frame.roles.assign(heads, Role::global);
      if (position == 1) frame.roles.front() = Role::sliding;
      frame.entries.assign(heads, position + 1);
      if (position == 0) frame.candidates = {{1, 0.997F}, {2, 0.0004F}};
      QVERIFY(session.record.append(std::move(frame)));
    }
    session.prompt_tokens = 8;
    session.policy = "model";
    workbench_->showSession(session);
    workbench_->selection().pin(TokenPos(1));
    TokenPanel panel(*workbench_, *comparison_);
    panel.resize(1100, 400);
    const QStringList words = PaintedWords(panel).all();
    const QString said = words.join(u'|');
    QVERIFY2(words.contains(QStringLiteral("roles, held by %1").arg(shareInWords(299.0 / 300))), qPrintable(said));
    QCOMPARE(shareInWords(299.0 / 300), QStringLiteral("99.7 %"));
    QVERIFY2(words.contains(QStringLiteral("< 0.1 %")), qPrintable(said));
  }

  void theTokenPanelIsDrawnAtAnySize() {
    comparison_->keep();
    TokenPanel panel(*workbench_, *comparison_);
    for (const QSize size : {QSize(260, 110), QSize(380, 250), QSize(720, 215), QSize(1100, 400)}) {
      panel.resize(size);
      for (const std::int32_t token : {0, 1, length - 1}) {
        workbench_->selection().pin(TokenPos(token));
        QVERIFY(!panel.grab().isNull());
      }
    }
  }

 private:
  [[nodiscard]] SequenceModel& sequence() { return workbench_->sequence(); }

  /// Shows a text of which the model gave each token this probability; from `other` on it has other tokens.
  void show(const std::function<double(std::int32_t)>& probability, std::int32_t other = length,
            const char* policy = "model") {
    workbench_->showSession(madeUpSession(2, 2, length, probability, other, policy));
    QCOMPARE(sequence().size(), length);
  }

  QTemporaryDir folder_;
  std::unique_ptr<Settings> settings_;
  std::unique_ptr<Workbench> workbench_;
  std::unique_ptr<RunComparison> comparison_;
  int runs_ = 0;
};

QTEST_MAIN(LossesTest)
#include "losses_test.moc"
