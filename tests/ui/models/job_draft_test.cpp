// SPDX-License-Identifier: GPL-3.0-or-later
// What a form describes, as commands and complaints; and stop strings as one line.
#include "ui/models/jobs/job_draft.h"

#include <QDir>
#include <QFile>
#include <QTest>

#include "core/base/resource_path.h"
#include "ui/models/model_label.h"
#include "ui/models/prompt_options.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

QString flag(const QStringList& arguments, const char* name) {
  const auto at = arguments.indexOf(QString::fromLatin1(name));
  return at < 0 ? QStringLiteral("(absent)") : arguments.value(at + 1);
}

JobDraft filled(DraftKind kind) {
  JobDraft draft(kind);
  draft.name = QStringLiteral("books");
  draft.setValue(QStringLiteral("data"), QStringLiteral("/texts"));
  draft.setValue(QStringLiteral("model"), QStringLiteral("/base"));
  return draft;
}

}  // namespace

class JobDraftTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void thePapersValuesAreTheDefaults() {
    // The command names what its own defaults do not say.
    const QStringList scratch = filled(DraftKind::scratch).arguments();
    QCOMPARE(scratch.first(), QStringLiteral("train"));
    QCOMPARE(flag(scratch, "--lr"), QStringLiteral("6e-4"));
    QCOMPARE(flag(scratch, "--layers"), QStringLiteral("12"));
    QCOMPARE(flag(scratch, "--window"), QStringLiteral("(absent)"));
    QCOMPARE(filled(DraftKind::scratch).value(QStringLiteral("window")), QStringLiteral("16"));
    QCOMPARE(flag(scratch, "--model"), QStringLiteral("(absent)"));
    const JobDraft tune = filled(DraftKind::scores);
    QCOMPARE(tune.arguments(),
             (QStringList{QStringLiteral("finetune"), QStringLiteral("--model"), QStringLiteral("/base"),
                          QStringLiteral("--data"), QStringLiteral("/texts"), QStringLiteral("--detach"),
                          QStringLiteral("--name"), QStringLiteral("books")}));
    const std::pair<const char*, const char*> paper[] = {
        {"window", "256"},         {"sparse_regularized_value", "3e-7"},
        {"steps", "7000"},         {"batch", "1"},
        {"learning_rate", "2e-3"}, {"passkey", "0.08"}};
    for (const auto& [key, text] : paper) QCOMPARE(tune.value(QLatin1String(key)), QLatin1String(text));
  }

  void everyKindMayRunOnAGpu() {
    for (const DraftKind kind : {DraftKind::scratch, DraftKind::scores, DraftKind::lora, DraftKind::all}) {
      JobDraft draft = filled(kind);
      QCOMPARE(flag(draft.arguments(), "--device"), QStringLiteral("(absent)"));
      draft.device = QStringLiteral("cuda");
      QCOMPARE(flag(draft.arguments(), "--device"), QStringLiteral("cuda"));
      // The forecast is of the memory where the run will be.
      if (kind != DraftKind::scratch) QCOMPARE(flag(draft.forecastArguments(), "--device"), QStringLiteral("cuda"));
    }
  }

  void aWindowThatNothingLeavesIsRemarkedOn() {
    const QString window = QStringLiteral("window");
    for (const DraftKind kind : {DraftKind::scratch, DraftKind::scores}) {
      JobDraft draft = filled(kind);
      draft.setValue(QStringLiteral("context"), QStringLiteral("256"));
      draft.setValue(window, QStringLiteral("255"));
      QVERIFY(draft.remarks().isEmpty());
      draft.setValue(window, QStringLiteral("256"));
      QVERIFY(draft.remarks().value(window).contains(QStringLiteral("256")));
      QVERIFY(draft.problems().isEmpty());  // it may be meant
      // Where the form does not say how long texts are, it is what the forecast found.
      draft.setValue(QStringLiteral("context"), QString());
      QVERIFY(draft.remarks().isEmpty());
      QVERIFY(!draft.remarks(256).isEmpty());
      QVERIFY(draft.remarks(257).isEmpty());
    }
    JobDraft fixed = filled(DraftKind::scratch);
    fixed.setValue(QStringLiteral("context"), QStringLiteral("16"));
    QVERIFY(!fixed.remarks().isEmpty());
    fixed.setValue(QStringLiteral("policy"), QStringLiteral("streaming:1,8"));
    QVERIFY(fixed.remarks().isEmpty());
  }

  void aKindSaysWhatIsTrained() {
    JobDraft draft = filled(DraftKind::lora);
    QCOMPARE(flag(draft.arguments(), "--train"), QStringLiteral("lora"));
    draft.setValue(QStringLiteral("lora_targets"), QStringLiteral("q_proj,o_proj"));
    draft.setValue(QStringLiteral("lora_rank"), QStringLiteral("4"));
    QCOMPARE(flag(draft.arguments(), "--lora"), QStringLiteral("q_proj,o_proj"));
    QCOMPARE(flag(draft.arguments(), "--lora-rank"), QStringLiteral("4"));
    draft.setValue(QStringLiteral("lora_targets"), QString());
    QVERIFY(draft.problems().contains(QStringLiteral("lora_targets")));
    draft.setKind(DraftKind::scores);
    QVERIFY(draft.problems().isEmpty());
    QCOMPARE(flag(draft.arguments(), "--lora"), QStringLiteral("(absent)"));
    // The rate of score layers would break a trained model's weights.
    draft.setKind(DraftKind::all);
    QCOMPARE(flag(draft.arguments(), "--train"), QStringLiteral("all"));
    QCOMPARE(flag(draft.arguments(), "--lr"), QStringLiteral("2e-5"));
    draft.setKind(DraftKind::scores);
    QCOMPARE(draft.value(QStringLiteral("learning_rate")), QStringLiteral("2e-3"));
  }

  void pathsMeanTheSameInATerminal() {
    JobDraft draft = filled(DraftKind::scratch);
    draft.setValue(QStringLiteral("data"), QStringLiteral("~/books"));
    QCOMPARE(flag(draft.arguments(), "--data"), QDir::homePath() + QStringLiteral("/books"));
    draft.setValue(QStringLiteral("data"), QStringLiteral("./some/../books"));
    QCOMPARE(flag(draft.arguments(), "--data"), QDir::currentPath() + QStringLiteral("/books"));
  }

  void anotherKindKeepsWhatWasTyped() {
    JobDraft draft = filled(DraftKind::scratch);
    draft.setValue(QStringLiteral("window"), QStringLiteral("33"));
    draft.setKind(DraftKind::scores);
    QCOMPARE(draft.value(QStringLiteral("window")), QStringLiteral("33"));
    QCOMPARE(draft.value(QStringLiteral("learning_rate")), QStringLiteral("2e-3"));
    draft.setValue(QStringLiteral("model"), QStringLiteral("/base"));
    draft.setKind(DraftKind::scratch);
    QCOMPARE(draft.value(QStringLiteral("learning_rate")), QStringLiteral("6e-4"));
    QCOMPARE(flag(draft.arguments(), "--model"), QStringLiteral("(absent)"));
    draft.setKind(DraftKind::lora);
    QCOMPARE(draft.value(QStringLiteral("model")), QStringLiteral("/base"));
  }

  void badValuesAreNamed_data() {
    QTest::addColumn<QString>("key");
    QTest::addColumn<QString>("text");
    const std::pair<const char*, const char*> bad[] = {{"data", ""},
                                                       {"window", "-1"},
                                                       {"window", "1.5"},
                                                       {"window", "many"},
                                                       {"epochs", "0"},
                                                       {"policy", "h2o:4,8"},
                                                       {"policy", "window"},
                                                       {"micro_batch", "7"},
                                                       {"hidden", "764"},
                                                       {"head_dim", "33"},
                                                       {"batch", "0"},
                                                       {"ranks", "7"},
                                                       {"heads", "7"},
                                                       {"learning_rate", "nan"},
                                                       {"kv_heads", "5"},
                                                       {"learning_rate", "11"},
                                                       {"context", "1"},
                                                       {"vocab", "1e99"},
                                                       {"sparse_regularized_value", "2"}};
    for (const auto& [key, text] : bad) {
      QTest::addRow("%s=%s", key, text) << QString::fromLatin1(key) << QString::fromLatin1(text);
    }
  }
  void badValuesAreNamed() {
    QFETCH(QString, key);
    QFETCH(QString, text);
    JobDraft draft = filled(DraftKind::scratch);
    QVERIFY(draft.problems().isEmpty());
    draft.setValue(key, text);
    // Under the value stands what must be: a plain statement would read as if it held.
    QVERIFY(draft.problems().first().contains(QStringLiteral(" must ")));
    QVERIFY(key == QStringLiteral("ranks") || !draft.problems().value(key).isEmpty());
    QCOMPARE(draft.problems().size(), 1);
  }

  void badNamesAreNamed() {
    JobDraft draft = filled(DraftKind::scratch);
    for (const char* name : {"", "-a", "a b", "a/b", ".."}) {
      draft.name = QString::fromLatin1(name);
      QVERIFY(draft.problems().contains(QStringLiteral("name")));
    }
  }

  void aDuplicateSaysOnlyWhatDiffers() {
    jobs::JobSpec spec;
    spec.options = {{"data", "/texts"}, {"learning_rate", "0.001"}, {"seed", "5"}, {"window", "16"}};
    JobDraft draft = JobDraft::like(QStringLiteral("old"), spec);
    draft.setValue(QStringLiteral("learning_rate"), QStringLiteral("0.002"));
    const QStringList words = draft.arguments();
    QCOMPARE(words.mid(0, 4), (QStringList{QStringLiteral("jobs"), QStringLiteral("duplicate"), QStringLiteral("old"),
                                           QStringLiteral("old-2")}));
    QCOMPARE(words.count(QStringLiteral("--set")), 1);
    QCOMPARE(flag(words, "--set"), QStringLiteral("learning_rate=0.002"));
    QVERIFY(words.contains(QStringLiteral("--start")));
    QVERIFY(!draft.arguments(false).contains(QStringLiteral("--start")));
  }

  /// As in a new form, where nothing stands: a job's 0 is how it says so.
  void whatADuplicateWorksOutIsEmpty() {
    jobs::JobSpec spec;
    spec.kind = jobs::JobKind::finetune;
    spec.options = {{"context", "0"}, {"seed", "0"}};
    JobDraft draft = JobDraft::like(QStringLiteral("old"), spec);
    QCOMPARE(draft.value(QStringLiteral("context")), QString());
    QCOMPARE(draft.value(QStringLiteral("seed")), QStringLiteral("0"));
    QVERIFY(!draft.arguments().contains(QStringLiteral("--set")));
    draft.setValue(QStringLiteral("context"), QStringLiteral("512"));
    QCOMPARE(flag(draft.arguments(), "--set"), QStringLiteral("context=512"));
  }

  void aClusterIsAskedWithItsArguments() {
    JobDraft draft = filled(DraftKind::scratch);
    draft.sbatch = QStringLiteral("--partition=gpu  --time=1:00 \"--comment=two words\"");
    QCOMPARE(flag(draft.arguments(), "--runner"), QStringLiteral("(absent)"));
    draft.onSlurm = true;
    QCOMPARE(flag(draft.arguments(), "--runner"), QStringLiteral("slurm"));
    QVERIFY(draft.arguments().contains(QStringLiteral("--sbatch=--partition=gpu")));
    QVERIFY(draft.arguments().contains(QStringLiteral("--sbatch=--comment=two words")));
    QVERIFY(!draft.arguments().contains(QStringLiteral("--no-start")));
    QVERIFY(draft.arguments(false).contains(QStringLiteral("--no-start")));
  }

  void anEstimateGrowsWithTheModel() {
    JobDraft draft = filled(DraftKind::scratch);
    const JobEstimate paper = draft.estimate();
    QVERIFY(paper.parameters > 90e6 && paper.parameters < 140e6);
    QVERIFY(!paper.tokens);  // the steps are not known yet
    draft.makeSmall();
    QVERIFY(*draft.estimate().memory < *paper.memory);
    QVERIFY(*draft.estimate().disk < *paper.disk);
    draft.setValue(QStringLiteral("steps"), QStringLiteral("10"));
    QCOMPARE(*draft.estimate().tokens, 10.0 * 8 * 1024);
    QVERIFY(filled(DraftKind::scratch).forecastArguments().isEmpty());
    QVERIFY(filled(DraftKind::scores).forecastArguments().contains(QStringLiteral("--forecast")));
  }

  void aFineTuningBeginsOnTheDemosTwin() {
    JobDraft draft(DraftKind::scores);
    draft.name = QStringLiteral("scores-1");
    const auto twin = QString::fromStdString(demo_twin_path().string());
    QCOMPARE(draft.value(QStringLiteral("model")), twin);
    QCOMPARE(draft.problems().keys(), QStringList{QStringLiteral("data")});  // a text is still to be named
    draft.setValue(QStringLiteral("model"), QStringLiteral("/base"));
    draft.makeSmall();
    QVERIFY(draft.problems().isEmpty());
    QCOMPARE(flag(draft.arguments(), "--model"), twin);
    for (const char* const text : {"--data", "--valid"}) QVERIFY(QFile::exists(flag(draft.arguments(), text)));
    QCOMPARE(flag(draft.arguments(), "--steps"), QStringLiteral("120"));
  }

  void aModelOfAJobIsCalledByItsJob() {
    QCOMPARE(modelLabel(QStringLiteral("/jobs/books/exports/step-000600")), QStringLiteral("books, step 600"));
    QCOMPARE(modelLabel(QStringLiteral("/jobs/books/model/")), QStringLiteral("books/model"));
    QCOMPARE(modelLabel(QStringLiteral("/models/step-by-step")), QStringLiteral("step-by-step"));
    QCOMPARE(modelLabel(QStringLiteral("/models/exports/step-")), QStringLiteral("step-"));
    QCOMPARE(modelLabel(QStringLiteral("step-12")), QStringLiteral("step-12"));
    QCOMPARE(modelLabel(QString()), QString());
  }

  void stopStringsAreOneLine() {
    QCOMPARE(parseStopStrings(QString()), QStringList());
    QCOMPARE(parseStopStrings(QStringLiteral("a||b|")), (QStringList{QStringLiteral("a"), QStringLiteral("b")}));
    QCOMPARE(parseStopStrings(QStringLiteral("\\n\\n|x\\|y|\\\\n")),
             (QStringList{QStringLiteral("\n\n"), QStringLiteral("x|y"), QStringLiteral("\\n")}));
    for (const QStringList& texts :
         {QStringList{}, QStringList{QStringLiteral("a\\|\n\t b"), QStringLiteral("\\n"), QStringLiteral("|")}}) {
      QCOMPARE(parseStopStrings(stopStringsText(texts)), texts);
    }
  }
};

QTEST_GUILESS_MAIN(JobDraftTest)
#include "job_draft_test.moc"
