// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMap>
#include <QString>
#include <QStringList>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "core/jobs/job_fields.h"

namespace natscope::ui {

enum class DraftKind { scratch, scores, lora, all };

/// What is guessed before a run from sizes alone, in bytes and seconds. Never measured, and called an estimate.
struct JobEstimate {
  double parameters = 0;
  std::optional<double> memory;
  std::optional<double> disk;
  std::optional<double> tokens;  ///< that the run reads
};

/// A job that is being described: texts of fields, checked, and the command that they make. No widgets, no files.
class JobDraft {
 public:
  explicit JobDraft(DraftKind kind = DraftKind::scratch) { setKind(kind); }
  /// A new job like an old one: its command duplicates it with what differs. `job` is a name or a folder's path.
  [[nodiscard]] static JobDraft like(const QString& job, const jobs::JobSpec& spec);

  [[nodiscard]] DraftKind kind() const { return kind_; }
  [[nodiscard]] jobs::JobKind jobKind() const {
    return kind_ == DraftKind::scratch ? jobs::JobKind::train : jobs::JobKind::finetune;
  }
  /// Values that were not changed become the kind's own.
  void setKind(DraftKind kind);
  [[nodiscard]] const QString& origin() const { return origin_; }

  /// The lines of this kind's form: what the kind itself says is none of them.
  [[nodiscard]] std::vector<const jobs::JobField*> fields() const;
  /// Whether the value is not the one that a form begins with.
  [[nodiscard]] bool isChanged(const jobs::JobField& field) const;

  [[nodiscard]] QString value(const QString& key) const { return values_.value(key); }
  void setValue(const QString& key, const QString& text) { values_.insert(key, text); }
  /// What a laptop trains in minutes, in place of the paper's size: a small model, or the demo's twin on a book.
  void makeSmall();

  QString name;  ///< of the job
  QString device = QStringLiteral("auto");
  bool onSlurm = false;
  QString sbatch;  ///< arguments of sbatch, as a shell would split them

  /// What is wrong, by key ("name" too); empty: it can be started.
  [[nodiscard]] QMap<QString, QString> problems() const;
  /// What may be meant but hardly is, by key. `length`: of documents, where the form does not say it; 0: not known.
  [[nodiscard]] QMap<QString, QString> remarks(qint64 length = 0) const;
  /// natscope-cli's arguments that make a detached job. `isStarted`: and begin it.
  [[nodiscard]] QStringList arguments(bool isStarted = true) const;
  /// Arguments that ask for a forecast in place of a run; empty where the command makes none.
  [[nodiscard]] QStringList forecastArguments() const;
  /// Empty parts where a base model's size would have to be known.
  [[nodiscard]] JobEstimate estimate() const;

 private:
  void setValues(std::initializer_list<std::pair<const char*, const char*>> values);
  [[nodiscard]] QString firstText(const jobs::JobField& field, DraftKind kind) const;
  [[nodiscard]] double number(const char* key) const { return value(QLatin1String(key)).toDouble(); }
  /// What the command is told; paths from the root on.
  [[nodiscard]] QString said(const jobs::JobField& field) const;
  [[nodiscard]] QStringList flags() const;
  void findShapeProblems(QMap<QString, QString>& found) const;

  DraftKind kind_ = DraftKind::scratch;
  QString origin_;
  QMap<QString, QString> values_;
  QMap<QString, QString> original_;
};

}  // namespace natscope::ui
