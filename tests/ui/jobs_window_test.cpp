// SPDX-License-Identifier: GPL-3.0-or-later
// A real, tiny job through the window, offscreen: from the form to its checkpoint in the explorer.
#include <QApplication>
#include <QComboBox>
#include <QDeadlineTimer>
#include <QFile>
#include <QHeaderView>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QStatusBar>
#include <QTableView>
#include <QTest>
#include <ctime>

#include "tests/ui/models/made_up_jobs.h"
#include "tests/ui/patience.h"
#include "tests/ui/window_on_tiny_model.h"
#include "ui/panels/jobs/batch_script_dialog.h"
#include "ui/panels/jobs/job_form.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

const QString job = QStringLiteral("tiny");

/// Work of this thread alone: other programs of the machine do not count.
double workMs() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

}  // namespace

class JobsWindowTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() {
    qputenv("NATSCOPE_JOBS", tiny_.filePath(QStringLiteral("jobs")).toUtf8());
    test::TinyModel base(nlohmann::json{{"max_position_embeddings", 256}});
    base.config.erase("nats");
    for (int layer = 0; layer < 2; ++layer) {
      base.remove("model.layers." + std::to_string(layer) + ".self_attn.proj_layer.weight");
    }
    std::filesystem::create_directories(baseFolder().toStdString());
    base.write(baseFolder().toStdString());
    QFile text(tiny_.filePath(QStringLiteral("text.txt")));
    QVERIFY(text.open(QIODevice::WriteOnly));
    for (int line = 0; line < 3000; ++line) {
      text.write(QStringLiteral("%1 times %2 is %3, said the cat.\n")
                     .arg(line % 13)
                     .arg(line % 7)
                     .arg(line % 13 * (line % 7))
                     .toUtf8());
    }
  }
  void init() { openWindow(); }
  void cleanup() { window_.reset(); }
  void cleanupTestCase() {
    // Nothing that a failed test left running outlives this program.
    const auto status = jobs::read_job_status(folder());
    if (status && jobs::is_active(status->state)) (void)jobs::make_runner(jobs::RunnerKind::local)->cancel(folder());
  }

  void aJobFromTheFormToTheExplorer() {
    JobForm* const form = window_->jobs().showForm();
    QVERIFY(QApplication::activeModalWidget() == nullptr);
    // Nothing is filled in: the start is refused in place.
    form->startButton()->click();
    QVERIFY(form->isVisible());
    QVERIFY(!form->problem(QStringLiteral("data")).isEmpty());
    // What stands in the way comes into sight, and is said where one has clicked.
    const auto isInSight = [&](const char* key) {
      const QWidget* const line = form->field(QLatin1String(key));
      return line->visibleRegion().boundingRect().height() == line->height();
    };
    QTRY_VERIFY(isInSight("data"));
    form->field(QStringLiteral("data"))->setText(tiny_.filePath(QStringLiteral("text.txt")));
    form->field(QStringLiteral("steps"))->setText(QStringLiteral("-3"));
    form->startButton()->click();
    QTRY_VERIFY(isInSight("steps"));
    QCOMPARE(form->refusal(), QStringLiteral("▲ ") + form->problem(QStringLiteral("steps")));
    QVERIFY2(form->forecastText().contains(QStringLiteral("put right")), qPrintable(form->forecastText()));
    const std::pair<const char*, QString> values[] = {{"name", job},
                                                      {"data", tiny_.filePath(QStringLiteral("text.txt"))},
                                                      {"steps", text(100000)},
                                                      {"layers", text(2)},
                                                      {"hidden", text(32)},
                                                      {"heads", text(2)},
                                                      {"kv_heads", text(1)},
                                                      {"vocab", text(300)},
                                                      {"context", text(64)},
                                                      {"batch", text(2)},
                                                      {"micro_batch", text(0)},
                                                      {"window", text(8)},
                                                      {"threads", text(1)},
                                                      {"checkpoint_every", text(5)},
                                                      {"evaluate_every", text(0)},
                                                      {"warmup_steps", text(2)}};
    for (const auto& [key, value] : values) form->field(QLatin1String(key))->setText(value);
    QVERIFY(form->draft().problems().isEmpty());
    QVERIFY(form->command().contains(QStringLiteral("--name tiny")));
    QSignalSpy started(form, &JobForm::started);
    form->startButton()->click();
    QVERIFY(started.wait(patience));

    QTRY_VERIFY_WITH_TIMEOUT(desk().list().rowOf(job) >= 0, patience);
    window_->jobs().choose(job);
    QTRY_VERIFY_WITH_TIMEOUT(window_->jobs().curves().points() > 5, patience);
    const int before = window_->jobs().curves().points();
    QTRY_VERIFY_WITH_TIMEOUT(window_->jobs().curves().points() > before, patience);
    QTRY_VERIFY_WITH_TIMEOUT(!window_->jobs().logText().isEmpty(), patience);

    // The window goes, the job stays; another window finds it.
    window_->close();
    window_.reset();
    const auto left = jobs::read_job_status(folder());
    QVERIFY(left && left->state == jobs::JobState::running);
    openWindow();
    QTRY_VERIFY_WITH_TIMEOUT(stateIs(jobs::JobState::running), patience);
    window_->jobs().choose(job);
    QTRY_VERIFY_WITH_TIMEOUT(window_->jobs().curves().points() >= before, patience);

    // A checkpoint opens while training goes on.
    QTRY_VERIFY_WITH_TIMEOUT(window_->jobs().openAction()->isEnabled(), patience);
    QSignalSpy ready(&desk(), &JobDesk::checkpointReady);
    window_->jobs().openAction()->trigger();
    QVERIFY(ready.wait(patience));
    QTRY_COMPARE_WITH_TIMEOUT(window_->workbench().modelPath(), ready[0][0].toString(), patience);
    QTRY_VERIFY_WITH_TIMEOUT(window_->workbench().canAnalyse() && window_->workbench().client().model()->layers == 2,
                             patience);
    QVERIFY(!window_->errorBar().isVisible());
    QVERIFY(stateIs(jobs::JobState::running));

    QVERIFY(!window_->jobs().deleteAction()->isEnabled());
    QSignalSpy said(&desk(), &JobDesk::said);
    window_->jobs().stopAction()->trigger();
    QTRY_VERIFY_WITH_TIMEOUT(stateIs(jobs::JobState::stopped), patience);
    // That it ends is not said any longer than it does.
    QTRY_COMPARE_WITH_TIMEOUT(said.value(said.count() - 1).value(0).toString(), job + QStringLiteral(" is stopped"),
                              patience);
    const auto stopped = desk().list().find(job)->entry.status.step;
    QTRY_VERIFY_WITH_TIMEOUT(window_->jobs().startAction()->isEnabled(), patience);
    QCOMPARE(window_->jobs().startAction()->text(), QStringLiteral("Resume"));
    window_->jobs().startAction()->trigger();
    QTRY_VERIFY_WITH_TIMEOUT(stateIs(jobs::JobState::running), patience);
    QTRY_VERIFY_WITH_TIMEOUT(desk().list().find(job)->entry.status.step > stopped, patience);

    window_->jobs().keepAction()->trigger();
    QTRY_VERIFY_WITH_TIMEOUT(!jobs::is_active(desk().list().find(job)->entry.status.state), patience);
    QVERIFY(std::filesystem::exists(folder() / "model" / "config.json"));

    // Deleting asks first, in the dock.
    QTRY_VERIFY_WITH_TIMEOUT(window_->jobs().deleteAction()->isEnabled(), patience);
    window_->jobs().deleteAction()->trigger();
    QVERIFY(QApplication::activeModalWidget() == nullptr);
    QVERIFY(std::filesystem::exists(folder()));
    window_->jobs().findChild<QPushButton*>(QStringLiteral("confirmDelete"))->click();
    QTRY_VERIFY_WITH_TIMEOUT(desk().list().rowOf(job) < 0, patience);
    QVERIFY(!std::filesystem::exists(folder()));
  }

  void aModelLearnsItsRolesFromTheForm() {
    const QString name = QStringLiteral("taught");
    JobForm* const form = window_->jobs().showForm();
    form->kindBox()->setCurrentIndex(static_cast<int>(DraftKind::lora));
    Q_EMIT form->kindBox()->activated(static_cast<int>(DraftKind::lora));
    // The paper's values stand there; what the old kind asked for does not.
    QVERIFY(form->field(QStringLiteral("layers")) == nullptr);
    QCOMPARE(form->field(QStringLiteral("window"))->text(), QStringLiteral("256"));
    QCOMPARE(form->field(QStringLiteral("lora_targets"))->text(), QStringLiteral("q_proj,k_proj"));
    const std::pair<const char*, QString> values[] = {{"name", name},
                                                      {"model", baseFolder()},
                                                      {"data", tiny_.filePath(QStringLiteral("text.txt"))},
                                                      {"valid", tiny_.filePath(QStringLiteral("text.txt"))},
                                                      {"lora_targets", QStringLiteral("q_proj,v_proj")},
                                                      {"lora_rank", text(2)},
                                                      {"window", text(8)},
                                                      {"steps", text(40)},
                                                      {"context", text(64)},
                                                      {"passkey", text(0)},
                                                      {"threads", text(1)},
                                                      {"checkpoint_every", text(5)},
                                                      {"evaluate_every", text(10)},
                                                      {"evaluate_documents", text(2)}};
    for (const auto& [key, value] : values) form->field(QLatin1String(key))->setText(value);
    QVERIFY(form->draft().problems().isEmpty());
    QVERIFY(form->command().contains(QStringLiteral("--train lora --lora q_proj,v_proj --lora-rank 2")));
    QTRY_VERIFY_WITH_TIMEOUT(form->forecastText().contains(QStringLiteral("memory forecast")), patience);
    QVERIFY2(form->forecastText().contains(QStringLiteral("64 tokens")), qPrintable(form->forecastText()));
    QVERIFY(form->forecastText().contains(QStringLiteral("disk about")));
    // Begun from another tab, it is seen to begin.
    window_->showHeads();
    QTRY_VERIFY_WITH_TIMEOUT(window_->jobs().visibleRegion().isEmpty(), patience);
    QSignalSpy started(form, &JobForm::started);
    form->startButton()->click();
    QCOMPARE(window_->statusBar()->currentMessage(), QStringLiteral("Starting taught …"));
    QCOMPARE(form->startButton()->text(), QStringLiteral("Starting …"));
    QVERIFY(started.wait(patience));
    QTRY_VERIFY_WITH_TIMEOUT(!window_->jobs().visibleRegion().isEmpty(), patience);
    // The new job is the chosen one without a click.
    QTRY_COMPARE_WITH_TIMEOUT(desk().shown(), name, patience);

    const auto state = [&] { return desk().list().find(name)->entry.status.state; };
    QTRY_VERIFY_WITH_TIMEOUT(state() == jobs::JobState::finished, patience);
    QTRY_VERIFY_WITH_TIMEOUT(desk().curves(name) && desk().curves(name)->loss.values.size() == 40, patience);
    QVERIFY(desk().curves(name)->heldOut.values.size() >= 4);
    QVERIFY(desk().curves(name)->argmaxKv.values.size() > 0);
    QCOMPARE(static_cast<int>(desk().curves(name)->layers.size()), 2);
    QVERIFY(!window_->jobs().logText().isEmpty());

    QTRY_VERIFY_WITH_TIMEOUT(window_->jobs().openAction()->isEnabled(), patience);
    QSignalSpy ready(&desk(), &JobDesk::checkpointReady);
    window_->jobs().openAction()->trigger();
    QVERIFY(ready.wait(patience));
    QTRY_VERIFY_WITH_TIMEOUT(window_->workbench().canAnalyse() && window_->workbench().client().model()->nats,
                             patience);
    QVERIFY(!window_->errorBar().isVisible());

    // Again with changes: only they are said.
    JobForm* const again = window_->jobs().showFormLikeChosen();
    QVERIFY(again != nullptr);
    QCOMPARE(again->field(QStringLiteral("lora_targets"))->text(), QStringLiteral("q_proj,v_proj"));
    again->field(QStringLiteral("steps"))->setText(text(3));
    QVERIFY(again->command().endsWith(QStringLiteral("jobs duplicate taught taught-2 --set steps=3 --start")));
    again->startButton()->click();
    const QString second = QStringLiteral("taught-2");
    QTRY_VERIFY_WITH_TIMEOUT(desk().list().rowOf(second) >= 0, patience);
    QTRY_VERIFY_WITH_TIMEOUT(desk().list().find(second)->entry.status.state == jobs::JobState::finished, patience);
    QCOMPARE(desk().list().find(second)->entry.status.steps, 3);
  }

  void aBatchScriptIsEditedBeforeItIsSubmitted() {
    JobForm* const form = window_->jobs().showForm();
    form->field(QStringLiteral("name"))->setText(QStringLiteral("queued"));
    form->field(QStringLiteral("data"))->setText(tiny_.filePath(QStringLiteral("text.txt")));
    QVERIFY(form->scriptButton()->isHidden());
    form->whereBox()->setCurrentIndex(1);
    QVERIFY(!form->scriptButton()->isHidden());
    form->sbatchLine()->setText(QStringLiteral("--partition=night"));
    QSignalSpy described(form, &JobForm::described);
    form->scriptButton()->click();
    QVERIFY(described.wait(patience));
    auto* const dialog = window_->jobs().findChild<BatchScriptDialog*>();
    QVERIFY(dialog != nullptr);
    auto* const script = dialog->findChild<QPlainTextEdit*>();
    QTRY_VERIFY_WITH_TIMEOUT(script->toPlainText().contains(QStringLiteral("#SBATCH --partition=night\n")), patience);
    dialog->close();
    QTRY_COMPARE_WITH_TIMEOUT(desk().shown(), QStringLiteral("queued"), patience);
    QCOMPARE(desk().list().find(QStringLiteral("queued"))->entry.status.state, jobs::JobState::created);
  }

  void twoHundredJobsLeaveTheWindowFluid() {
    const std::filesystem::path root = std::filesystem::path(tiny_.filePath(QStringLiteral("many")).toStdString());
    for (int i = 0; i < 200; ++i) test::write_job(root / ("job-" + std::to_string(i)), "finished", 2000);
    JobDesk many(root);
    JobsPanel panel(many);
    panel.resize(1200, 400);
    panel.show();
    QTRY_COMPARE_WITH_TIMEOUT(many.list().rowCount(), 200, patience);
    for (int row = 0; row < 8; ++row) many.list().setData(many.list().index(row, 0), Qt::Checked, Qt::CheckStateRole);
    double longest = 0;
    QSignalSpy refreshed(&many, &JobDesk::refreshed);
    for (QDeadlineTimer end(patience); refreshed.count() < 4 && !end.hasExpired();) {
      const double before = workMs();
      QCoreApplication::processEvents(QEventLoop::AllEvents, 1);
      longest = std::max(longest, workMs() - before);
      QTest::qSleep(1);
    }
    QVERIFY(panel.curves().points() > 8 * 2000);
    qInfo("longest turn of the window's thread: %.1f ms of work", longest);
    QVERIFY2(longest < 150, "the window's thread was held up");
  }

  void namesOfJobsAreTold() {
    const std::filesystem::path root = std::filesystem::path(tiny_.filePath(QStringLiteral("named")).toStdString());
    test::write_job(root / "finetune-windows-16", "finished", 20);
    JobDesk desk(root);
    JobsPanel panel(desk);
    panel.show();
    const auto* const table = panel.findChild<QTableView*>();
    QTRY_COMPARE_WITH_TIMEOUT(desk.list().rowCount(), 1, patience);
    for (const int width : {900, 1270, 2000}) {
      panel.resize(width, 240);
      QTest::qWait(20);
      const int name = table->columnWidth(JobListModel::nameColumn);
      QVERIFY2(name >= 160, qPrintable(QStringLiteral("%1 of %2").arg(name).arg(width)));
      if (width > 1000) QVERIFY(table->horizontalHeader()->length() <= table->viewport()->width());
    }
  }

  void whatTheCommandRefusesIsSaidInTheForm() {
    JobForm* const form = window_->jobs().showForm();
    form->field(QStringLiteral("name"))->setText(QStringLiteral("nowhere"));
    form->field(QStringLiteral("data"))->setText(tiny_.filePath(QStringLiteral("nowhere")));
    form->startButton()->click();
    QTRY_VERIFY_WITH_TIMEOUT(form->startButton()->isEnabled(), patience);
    QVERIFY(form->isVisible());
    QVERIFY(!std::filesystem::exists(folder().parent_path() / "nowhere"));
    // It is about the field as it was.
    QVERIFY(!form->refusal().isEmpty());
    form->field(QStringLiteral("data"))->setText(tiny_.filePath(QStringLiteral("text.txt")));
    QVERIFY2(form->refusal().isEmpty(), qPrintable(form->refusal()));
    form->close();
  }

  void thePromptPanelPassesStopStrings() {
    auto* const stops = window_->prompt().findChild<QLineEdit*>(QStringLiteral("stops"));
    QVERIFY(stops != nullptr);
    stops->setText(QStringLiteral("The end|\\n\\n"));
    QCOMPARE(window_->workbench().options().stopStrings,
             (QStringList{QStringLiteral("The end"), QStringLiteral("\n\n")}));
  }

 private:
  static QString text(int value) { return QString::number(value); }
  /// The same without score layers: what fine-tuning begins with.
  [[nodiscard]] QString baseFolder() const { return tiny_.filePath(QStringLiteral("base")); }
  [[nodiscard]] std::filesystem::path folder() const {
    return std::filesystem::path(tiny_.filePath(QStringLiteral("jobs")).toStdString()) / job.toStdString();
  }
  [[nodiscard]] JobDesk& desk() { return window_->jobDesk(); }
  [[nodiscard]] bool stateIs(jobs::JobState state) {
    const JobRow* const row = desk().list().find(job);
    return row != nullptr && row->entry.status.state == state;
  }
  void openWindow() {
    tiny_.forget();
    window_ = tiny_.make(QStringLiteral("3 times 4 is 12, said the cat."));
    window_->resize(1300, 850);
    window_->show();
    window_->showJobs();
  }

  WindowOnTinyModel tiny_;
  std::unique_ptr<MainWindow> window_;
};

QTEST_MAIN(JobsWindowTest)
#include "jobs_window_test.moc"
