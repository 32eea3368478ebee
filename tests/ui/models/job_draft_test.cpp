// SPDX-License-Identifier: GPL-3.0-or-later
// What a form describes, as commands and complaints; and stop strings as one line.
#include "ui/models/job_draft.h"

#include <QTest>

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
    const QStringList scratch = filled(DraftKind::scratch).arguments();
    QCOMPARE(scratch.first(), QStringLiteral("train"));
    QCOMPARE(flag(scratch, "--window"), QStringLiteral("16"));
    QCOMPARE(flag(scratch, "--lr"), QStringLiteral("6e-4"));
    QCOMPARE(flag(scratch, "--model"), QStringLiteral("(absent)"));
    const QStringList tune = filled(DraftKind::scores).arguments();
    QCOMPARE(tune.first(), QStringLiteral("finetune"));
    QCOMPARE(flag(tune, "--window"), QStringLiteral("256"));
    QCOMPARE(flag(tune, "--lambda"), QStringLiteral("3e-7"));
    QCOMPARE(flag(tune, "--length"), QStringLiteral("16000"));
    QCOMPARE(flag(tune, "--train"), QStringLiteral("scores"));
    QCOMPARE(flag(tune, "--layers"), QStringLiteral("(absent)"));
    QCOMPARE(flag(tune, "--lora-rank"), QStringLiteral("(absent)"));
    QCOMPARE(flag(filled(DraftKind::lora).arguments(), "--lora-rank"), QStringLiteral("8"));
  }

  void anotherKindKeepsWhatWasTyped() {
    JobDraft draft = filled(DraftKind::scratch);
    draft.setValue(QStringLiteral("window"), QStringLiteral("33"));
    draft.setKind(DraftKind::scores);
    QCOMPARE(draft.value(QStringLiteral("window")), QStringLiteral("33"));
    QCOMPARE(draft.value(QStringLiteral("learning_rate")), QStringLiteral("2e-3"));
    draft.setKind(DraftKind::scratch);
    QCOMPARE(draft.value(QStringLiteral("learning_rate")), QStringLiteral("6e-4"));
  }

  void badValuesAreNamed_data() {
    QTest::addColumn<QString>("key");
    QTest::addColumn<QString>("text");
    const std::pair<const char*, const char*> bad[] = {{"data", ""},
                                                       {"window", "-1"},
                                                       {"window", "1.5"},
                                                       {"window", "many"},
                                                       {"steps", ""},
                                                       {"batch", "0"},
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
    QVERIFY(!draft.problems().value(key).isEmpty());
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
  }

  void aClusterIsAskedWithItsArguments() {
    JobDraft draft = filled(DraftKind::scratch);
    draft.sbatch = QStringLiteral("--partition=gpu  --time=1:00");
    QCOMPARE(flag(draft.arguments(), "--runner"), QStringLiteral("local"));
    draft.onSlurm = true;
    QCOMPARE(flag(draft.arguments(), "--runner"), QStringLiteral("slurm"));
    QVERIFY(draft.arguments().contains(QStringLiteral("--sbatch=--partition=gpu")));
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
