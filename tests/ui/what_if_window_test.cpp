// SPDX-License-Identifier: GPL-3.0-or-later
// What if: roles and W set by hand in the window, against the real engine and a small random model.
#include <QComboBox>
#include <QFileInfo>
#include <QInputDialog>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <algorithm>

#include "tests/ui/patience.h"
#include "tests/ui/present_run_trace.h"
#include "tests/ui/window_on_tiny_model.h"
#include "ui/models/figures/export_command.h"

using namespace natscope;
using namespace natscope::ui;

class WhatIfWindowTest : public WindowTest {
  Q_OBJECT

 private Q_SLOTS:
  void init() { QVERIFY(begin()); }
  void cleanup() { end(); }

  void aRoleSetByHandIsRunAgain() {
    const LayerId layer(1);
    const KvHeadId kvHead(1);
    const TokenPos position(3);
    const auto role = [&] { return bench().sequence().record().roles(layer, kvHead)[3]; };
    const Role learned = role();
    const Role other = learned == Role::global ? Role::sliding : Role::global;
    const SequenceRecord before = bench().sequence().record();
    auto* const words = window_->roles().findChild<QLabel*>(QStringLiteral("roleChanges"));
    QVERIFY(words->text().startsWith(QStringLiteral("Roles as policy and model decide")));
    const int lineTop = words->y();
    const int mapTop = window_->roles().map().y();
    QMenu menu;
    window_->roles().fillRoleMenu(menu, layer, kvHead, position);
    bench().selection().pin(position);
    actionOf(menu, other)->trigger();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && role() == other, patience);
    QVERIFY(bench().selection().pinned() == std::vector<TokenPos>{position});
    QCOMPARE(words->text(), QStringLiteral("Changed: 1 role set by hand"));
    // What was clicked stays under the cursor.
    QCOMPARE(words->y(), lineTop);
    QCOMPARE(window_->roles().map().y(), mapTop);
    // Nothing else is another role because of it in the same layer, nor in the layer before.
    for (int head = 0; head < before.geometry().kv_heads; ++head) {
      for (int l = 0; l <= 1; ++l) {
        const auto was = before.roles(LayerId(l), KvHeadId(head));
        const auto is = bench().sequence().record().roles(LayerId(l), KvHeadId(head));
        for (std::size_t n = 0; n < was.size(); ++n) {
          if (l != 1 || head != 1 || n != 3) QVERIFY(was[n] == is[n]);
        }
      }
    }
    const QString command = exportCommand({}, exportOrigin(bench()), bench().sequence().size());
    QVERIFY2(command.contains(QStringLiteral("--force 1.1.3=")), qPrintable(command));
    window_->roles().findChild<QPushButton*>(QStringLiteral("takeRolesBack"))->click();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && role() == learned, patience);
    QVERIFY(words->text().startsWith(QStringLiteral("Roles as policy and model decide")));
    QVERIFY(bench().analysedChanges().isEmpty());
  }

  void theWindowSetByHandHoldsAndWhatWasWrittenIsWrittenAgain() {
    PromptOptions options = bench().options();
    options.maxNewTokens = 6;
    options.sampling.greedy = true;
    bench().setOptions(options);
    bench().generate();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() == bench().client().promptTokens() + 6,
                             patience);
    const QList<QAction*> actions = window_->actions();
    const auto set = std::ranges::find_if(
        actions, [](const QAction* action) { return action->text() == QStringLiteral("Set &window W …"); });
    QVERIFY(set != actions.end());
    (*set)->trigger();
    auto* const input = window_->findChild<QInputDialog*>(QStringLiteral("windowInput"));
    QVERIFY(input != nullptr);
    QCOMPARE(input->intValue(), static_cast<int>(bench().sequence().record().window().value_or(-1)));
    input->setIntValue(2);
    input->accept();
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().record().window().value_or(-1), 2, patience);
    RoleChanges changes = bench().roleChanges();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() == bench().client().promptTokens() + 6,
                             patience);
    // A session that was opened is no exception, and says itself that W was set.
    const QString path = tiny_.filePath(QStringLiteral("window-2.safetensors"));
    window_->saveSession(path);
    QTRY_VERIFY_WITH_TIMEOUT(QFileInfo::exists(path), patience);
    bench().changeRoles({});
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().analysedChanges().isEmpty(), patience);
    QSignalSpy shown(&bench(), &Workbench::sessionShown);
    window_->openPath(path);
    QTRY_COMPARE_WITH_TIMEOUT(shown.count(), 1, patience);
    QVERIFY(bench().roleChanges() == changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().hasEngineSequence(), patience);
    QCOMPARE(bench().sequence().record().window().value_or(-1), 2);
    // What it was made with is what the fields say.
    QCOMPARE(window_->prompt().options().maxNewTokens, 6);
    QVERIFY(window_->prompt().options().sampling.greedy);
    changes.window = 3;
    bench().changeRoles(changes);
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().record().window().value_or(-1), 3, patience);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() == bench().client().promptTokens() + 6,
                             patience);
    // What the engine refuses is taken back, and what is shown stays.
    changes.forced.push_back({LayerId(77), KvHeadId(0), TokenPos(0), Role::local});
    bench().changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QVERIFY(bench().roleChanges().forced.empty());
    QCOMPARE(bench().roleChanges().window.value_or(-1), 3);
    QCOMPARE(bench().sequence().record().window().value_or(-1), 3);
  }

  void whatWasWrittenStaysUnderAnotherRoleAndPolicy() {
    PromptOptions options = window_->prompt().options();
    options.maxNewTokens = 8;
    options.sampling.seed = 5;
    window_->prompt().setOptions(options);
    bench().generate();
    const std::int64_t prompt = bench().client().promptTokens();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() == prompt + 8, patience);
    const SequenceRecord before = bench().sequence().record();
    const auto isSameText = [&] {
      const SequenceRecord& now = bench().sequence().record();
      return bench().canAnalyse() && bench().client().promptTokens() == prompt &&
             std::ranges::equal(now.frames(), before.frames(), {}, &TokenFrame::token, &TokenFrame::token);
    };
    options.maxNewTokens = 2;
    window_->prompt().setOptions(options);
    const TokenPos written(static_cast<std::int32_t>(prompt) + 3);
    bench().selection().pin(written);
    RoleChanges changes;
    const Role learned = before.roles(LayerId(0), KvHeadId(0))[static_cast<std::size_t>(written.value)];
    changes.forced.push_back({LayerId(0), KvHeadId(0), written, learned == Role::global ? Role::local : Role::global});
    bench().changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench().analysedChanges() == changes && isSameText(), patience);
    QCOMPARE(bench().sequence().record().roles(LayerId(0), KvHeadId(0))[static_cast<std::size_t>(written.value)],
             changes.forced.front().role);
    QVERIFY(bench().selection().isPinned(written));
    // Another policy reads the same text, too, and Continue goes on with it.
    bench().changeRoles({});
    QTRY_VERIFY_WITH_TIMEOUT(bench().analysedChanges().isEmpty() && isSameText(), patience);
    auto* const policy = window_->prompt().findChild<QComboBox*>();
    policy->setCurrentText(QStringLiteral("streaming:2,4"));
    QTest::keyClick(policy->lineEdit(), Qt::Key_Return);
    QTRY_VERIFY_WITH_TIMEOUT(bench().client().policy() == "streaming:2,4" && isSameText(), patience);
    bench().continueGenerating();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() == prompt + 10, patience);
    // Of another prompt it is not what is shown that goes on, and what was written comes back.
    const auto action = [&](const QString& text) {
      const auto actions = window_->actions();
      return *std::ranges::find_if(actions, [&](const QAction* each) { return each->text() == text; });
    };
    QVERIFY(action(QStringLiteral("&Continue"))->isEnabled());
    window_->prompt().setPrompt(QStringLiteral("Alice was"));
    QVERIFY(!action(QStringLiteral("&Continue"))->isEnabled() && !action(QStringLiteral("Ste&p"))->isEnabled());
    QVERIFY(action(QStringLiteral("&Continue"))->toolTip().contains(QStringLiteral("another prompt")));
    action(QStringLiteral("&Analyse the prompt"))->trigger();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() < prompt, patience);
    QVERIFY(action(QStringLiteral("&Continue"))->isEnabled());
    action(QStringLiteral("&Back to the previous run"))->trigger();
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), prompt + 10, patience);
  }

  void rolesOfAFileAreTaken() {
    const QString path =
        recordPresentRun(bench(), {LayerId(0), HeadId(0)}, tiny_.filePath(QStringLiteral("run.safetensors")));
    QVERIFY(!path.isEmpty());
    const SequenceRecord before = bench().sequence().record();
    window_->openRoles(path);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().analysedChanges().roles != nullptr, patience);
    for (int layer = 0; layer < before.geometry().layers; ++layer) {
      for (int head = 0; head < before.geometry().kv_heads; ++head) {
        QVERIFY(std::ranges::equal(before.roles(LayerId(layer), KvHeadId(head)),
                                   bench().sequence().record().roles(LayerId(layer), KvHeadId(head))));
      }
    }
    QVERIFY(bench().roleChanges().inWords().startsWith(QStringLiteral("roles of run")));
    // One token more than the file has roles for.
    bench().step();
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    window_->openRoles(tiny_.filePath(QStringLiteral("nowhere.safetensors")));
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse(), patience);
    QVERIFY(bench().roleChanges().roles != nullptr);
  }

 private:
  static QAction* actionOf(const QMenu& menu, Role role) {
    const QString text = role == Role::global  ? QStringLiteral("Global")
                         : role == Role::local ? QStringLiteral("Local")
                                               : QStringLiteral("Sliding");
    const QList<QAction*> actions = menu.actions();
    const auto found = std::ranges::find_if(actions, [&](const QAction* action) { return action->text() == text; });
    return found == actions.end() ? nullptr : *found;
  }
};

QTEST_MAIN(WhatIfWindowTest)
#include "what_if_window_test.moc"
