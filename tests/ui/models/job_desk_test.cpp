// SPDX-License-Identifier: GPL-3.0-or-later
// Job folders as a list, curves and a log, without widgets.
#include "ui/models/jobs/job_desk.h"

#include <QSet>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QThreadPool>
#include <algorithm>
#include <array>
#include <chrono>

#include "tests/ui/models/made_up_jobs.h"
#include "tests/ui/patience.h"
#include "ui/models/grouped_number.h"

using namespace natscope;
using namespace natscope::ui;
namespace fs = std::filesystem;

namespace {

QStringList sortedLines(const JobListModel& list) {
  QStringList lines = list.asText().split(u'\n');
  lines.sort();
  return lines;
}

}  // namespace

class JobDeskTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void theListAsText() {
    const fs::path root = newRoot();
    test::write_job(root / "done", "finished", 10);
    test::write_job(root / "half", "stopped", 5);
    test::write_text(root / "odd" / "spec.json", "nonsense");
    test::write_text(root / "no-job" / "notes.txt", "no job");
    JobDesk desk(root);
    QTRY_COMPARE_WITH_TIMEOUT(desk.list().rowCount(), 3, patience);
    const QStringList lines = sortedLines(desk.list());
    QCOMPARE(lines[0], QStringLiteral("done | from scratch | ✓ finished | 10 of 20 | 4.900 nats | 25.0 % | 812 | –"));
    QCOMPARE(lines[1], QStringLiteral("half | from scratch | ■ stopped | 5 of 10 | 4.950 nats | 25.0 % | 812 | –"));
    QCOMPARE(lines[2], QStringLiteral("odd | – | ? unreadable | – | – | – | – | –"));
  }

  /// Its status knows the number of steps when the first one has ended.
  void aJobThatBeginsSaysHowFarItIs() {
    const auto stepOf = [](jobs::JobState state, std::int64_t steps, const nlohmann::json& spec) {
      JobRow row;
      row.entry.name = "a";
      row.entry.status.state = state;
      row.entry.status.steps = steps;
      row.entry.spec = *jobs::job_spec_from_json(spec);
      JobListModel list;
      list.setRows({row});
      return list.index(0, JobListModel::stepColumn).data().toString();
    };
    const nlohmann::json counted{{"kind", "train"}, {"version", 1}, {"steps", 1200}};
    const nlohmann::json epochs{{"kind", "train"}, {"version", 1}, {"epochs", 2.0}};
    QCOMPARE(stepOf(jobs::JobState::running, 0, counted), QStringLiteral("0 of 1,200"));
    QCOMPARE(stepOf(jobs::JobState::running, 0, epochs), QStringLiteral("starting"));
    QCOMPARE(stepOf(jobs::JobState::created, 0, epochs), QStringLiteral("–"));
    QCOMPARE(stepOf(jobs::JobState::running, 40'000, epochs), QStringLiteral("0 of 40,000"));
  }

  void lossesAndSpeedsSayWhatTheyAre() {
    const fs::path root = newRoot();
    test::write_job(root / "taught", "finished", 2);
    test::write_text(root / "taught" / "spec.json",
                     nlohmann::json{{"kind", "finetune"}, {"version", 1}, {"steps", 4}, {"window", 16}}.dump());
    JobDesk desk(root);
    QTRY_COMPARE_WITH_TIMEOUT(desk.list().rowCount(), 1, patience);
    QVERIFY2(desk.list().asText().contains(QStringLiteral("| 4.980 MSE |")), qPrintable(desk.list().asText()));
    const QVariant tip = desk.list().headerData(JobListModel::lossColumn, Qt::Horizontal, Qt::ToolTipRole);
    QVERIFY(tip.toString().contains(QStringLiteral("squared difference")));
    QCOMPARE(speedText(3340.4), QStringLiteral("3,340"));
    QCOMPARE(speedText(130.637), QStringLiteral("131"));
    QCOMPARE(speedText(7.46), QStringLiteral("7.5"));
  }

  void theProblemOfACommandIsItsWholeErrorLine() {
    // What Slurm said stands in the line, with "error: " of its own.
    const fs::path root = newRoot();
    const fs::path program = root / "says-error";
    test::write_text(program,
                     "#!/bin/sh\necho 'natscope: warning: error: of old' >&2\n"
                     "echo 'error: io_failure: sbatch: error: no partition; edit it' >&2\nexit 1\n");
    fs::permissions(program, fs::perms::owner_all);
    JobDesk desk(root, program);
    QString said;
    desk.runCli({}, &desk,
                [&said](bool ok, const QString&, const QString& problem) { said = ok ? QString() : problem; });
    QTRY_COMPARE_WITH_TIMEOUT(said, QStringLiteral("io_failure: sbatch: error: no partition; edit it"), patience);
  }

  void aModelThatIsNotNamedIsSaidToBe() {
    const fs::path root = newRoot();
    const fs::path program = root / "names-none";
    test::write_text(program, "#!/bin/sh\necho '{}'\n");
    fs::permissions(program, fs::perms::owner_all);
    JobDesk desk(root, program);
    QSignalSpy failed(&desk, &JobDesk::failed);
    QSignalSpy ready(&desk, &JobDesk::checkpointReady);
    desk.openCheckpoint(QStringLiteral("a"));
    QTRY_COMPARE_WITH_TIMEOUT(failed.count(), 1, patience);
    QVERIFY(!failed[0][0].value<Error>().message.empty());
    QCOMPARE(ready.count(), 0);
  }

  void everyStateHasASignOfItsOwn() {
    constexpr std::array states{jobs::JobState::created,  jobs::JobState::queued,  jobs::JobState::starting,
                                jobs::JobState::running,  jobs::JobState::stopped, jobs::JobState::interrupted,
                                jobs::JobState::finished, jobs::JobState::failed,  jobs::JobState::killed};
    QSet<QString> signs;
    QSet<QString> words;
    for (const jobs::JobState state : states) {
      signs.insert(signOf(state).sign);
      words.insert(signOf(state).word);
    }
    QVERIFY(!signs.contains(QString()) && !words.contains(QString()));
    QCOMPARE(signs.size(), static_cast<qsizetype>(states.size()));
    QCOMPARE(words.size(), static_cast<qsizetype>(states.size()));
  }

  void durations() {
    QCOMPARE(durationText(65), QStringLiteral("1:05"));
    QCOMPARE(durationText(3723), QStringLiteral("1:02:03"));
    for (const double bad : {-1.0, 1e300, std::nan("")}) QCOMPARE(durationText(bad), QStringLiteral("–"));
  }

  void curvesGrowAndAResumedRunForgetsItsLastSteps() {
    const fs::path root = newRoot();
    test::write_job(root / "a", "stopped", 5);
    JobDesk desk(root);
    desk.show(QStringLiteral("a"));
    QTRY_VERIFY_WITH_TIMEOUT(desk.curves(QStringLiteral("a")) != nullptr, patience);
    QCOMPARE(desk.curves(QStringLiteral("a"))->loss.steps.size(), 5);
    std::ofstream(root / "a" / "progress.jsonl", std::ios::app) << test::step_line(6, 1.5).dump() << "\n";
    QTRY_COMPARE_WITH_TIMEOUT(desk.curves(QStringLiteral("a"))->loss.steps.size(), 6, patience);
    QCOMPARE(desk.curves(QStringLiteral("a"))->loss.values.last(), 1.5);
    test::write_job(root / "a", "stopped", 3);
    QTRY_COMPARE_WITH_TIMEOUT(desk.curves(QStringLiteral("a"))->loss.steps.size(), 3, patience);
  }

  void aCurveHoldsWhatAScreenShows() {
    Curve curve;
    for (int step = 0; step < 1'000'000; ++step) curve.add(step, step);
    QVERIFY(curve.steps.size() < Curve::most);
    QVERIFY(curve.steps.size() > Curve::most / 4);
    QVERIFY(curve.steps.last() > 990'000);
    QVERIFY(std::is_sorted(curve.steps.begin(), curve.steps.end()));
    curve.add(1'000'000'000, std::nan(""));
    QVERIFY(!std::isnan(curve.values.last()));
  }

  void theLogOfTheShownJobFollows() {
    const fs::path root = newRoot();
    test::write_job(root / "a", "stopped", 1);
    JobDesk desk(root);
    QStringList lines;
    connect(&desk, &JobDesk::logArrived, this, [&lines](const QStringList& news, bool begins) {
      if (begins) lines.clear();
      lines += news;
    });
    desk.show(QStringLiteral("a"));
    QTRY_COMPARE_WITH_TIMEOUT(lines.size(), 2, patience);
    std::ofstream(root / "a" / "log.txt", std::ios::app) << "\x1b[31mred\nhalf";
    QTRY_COMPARE_WITH_TIMEOUT(lines.size(), 3, patience);
    QVERIFY(!lines.last().contains(QChar(0x1b)));
  }

  void hostileFoldersDisturbNobody() {
    const fs::path root = newRoot();
    test::write_job(root / "good", "finished", 2);
    test::write_job(root / "--out=x", "finished", 2);
    test::write_job(root / "links", "finished", 2);
    fs::remove(root / "links" / "progress.jsonl");
    fs::create_symlink("/dev/zero", root / "links" / "progress.jsonl");
    fs::remove(root / "links" / "log.txt");
    fs::create_directory(root / "links" / "log.txt");
    test::write_job(root / "long", "finished", 2);
    std::ofstream(root / "long" / "progress.jsonl", std::ios::app)
        << std::string(std::size_t{9} << 20, 'x') << "\n{\"step\":";
    test::write_text(root / "state" / "spec.json", R"({"kind":"train","version":1})");
    test::write_text(root / "state" / "status.json", R"({"state":"dancing"})");
    JobDesk desk(root);
    QSignalSpy failed(&desk, &JobDesk::failed);
    QTRY_COMPARE_WITH_TIMEOUT(desk.list().rowCount(), 5, patience);
    for (const char* name : {"links", "long", "state", "--out=x", "good"}) {
      QSignalSpy refreshed(&desk, &JobDesk::refreshed);
      desk.show(QString::fromLatin1(name));
      QVERIFY(refreshed.wait(patience));
    }
    QCOMPARE(failed.count(), 0);
    QVERIFY(desk.list().asText().contains(QStringLiteral("state | – | ? unreadable")));
  }

  void aJobThatIsBeingStartedIsNotStartedAgain() {
    const fs::path root = newRoot();
    const fs::path asked = root / ".asked";
    test::write_job(root / "waits", "created", 2);
    for (const char* const program : {"sbatch", "squeue", "sacct"}) {
      const fs::path path = root / ".bin" / program;
      const bool isSubmitting = std::string_view(program) == "sbatch";
      test::write_text(path, isSubmitting ? "#!/bin/sh\necho x >> " + asked.string() + "\nsleep 1\necho 17\n"
                                          : std::string("#!/bin/sh\necho\n"));
      fs::permissions(path, fs::perms::owner_all);
    }
    const QByteArray before = qgetenv("PATH");
    qputenv("PATH", QByteArray::fromStdString((root / ".bin").string()) + ':' + before);
    {
      JobDesk desk(root);
      QSignalSpy said(&desk, &JobDesk::said);
      QStringList problems;
      connect(&desk, &JobDesk::failed, this,
              [&](const Error& error) { problems << QString::fromStdString(error.message); });
      desk.startOn(QStringLiteral("waits"), jobs::RunnerKind::slurm);
      QVERIFY(desk.isStarting(QStringLiteral("waits")));
      desk.startOn(QStringLiteral("waits"), jobs::RunnerKind::slurm);
      desk.start(QStringLiteral("waits"));
      QTRY_VERIFY_WITH_TIMEOUT(!desk.isStarting(QStringLiteral("waits")), patience);
      QVERIFY2(problems.isEmpty(), qPrintable(problems.join(u' ')));
      QCOMPARE(said.count(), 2);  // that it is being started, and what came of it
    }
    qputenv("PATH", before);
    QCOMPARE(fs::file_size(asked), 2U);
  }

  /// The end of the program waits for its threads, and they for a squeue that takes its time.
  void theProgramEndsWithoutTheClustersAnswer() {
    const fs::path root = newRoot();
    const fs::path asked = root / ".asked";
    test::write_job(root / "queued", "running", 2);
    fs::last_write_time(root / "queued" / "status.json", fs::file_time_type::clock::now() - std::chrono::seconds(10));
    test::write_text(root / "queued" / "launch.json", R"({"runner":"slurm","slurm_job":"17"})");
    for (const char* const program : {"squeue", "sacct"}) {
      const fs::path path = root / ".bin" / program;
      test::write_text(path, "#!/bin/sh\ntouch " + asked.string() + "\nexec sleep 30\n");
      fs::permissions(path, fs::perms::owner_all);
    }
    const QByteArray before = qgetenv("PATH");
    qputenv("PATH", QByteArray::fromStdString((root / ".bin").string()) + ':' + before);
    {
      JobDesk desk(root);
      QTRY_VERIFY_WITH_TIMEOUT(fs::exists(asked), patience);
    }
    QVERIFY(QMetaObject::invokeMethod(QCoreApplication::instance(), "aboutToQuit"));
    const bool isDone = QThreadPool::globalInstance()->waitForDone(10'000);
    qputenv("PATH", before);
    QVERIFY(isDone);
  }

 private:
  fs::path newRoot() {
    const fs::path root = fs::path(folder_.path().toStdString()) / std::to_string(++roots_);
    fs::create_directories(root);
    return root;
  }

  QTemporaryDir folder_;
  int roots_ = 0;
};

QTEST_GUILESS_MAIN(JobDeskTest)
#include "job_desk_test.moc"
