// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMap>
#include <QString>
#include <QStringList>
#include <optional>
#include <vector>

#include "core/jobs/job_spec.h"

namespace natscope::ui {

enum class DraftKind { scratch, scores, lora };

/// One field of the form: an option of the command, what it is called, what it does, and the paper's value.
struct JobField {
  enum class Type { text, file, whole, real };

  const char* key;   ///< as spec.json names it
  const char* flag;  ///< of the command
  const char* label;
  const char* help;  ///< one line
  Type type;
  double least;
  double most;
  const char* scratch;  ///< the paper's value, training from scratch; null: no such field there
  const char* tune;     ///< the same for fine-tuning
  bool isNeeded;
};

[[nodiscard]] const std::vector<JobField>& jobFields();
/// Whether a field is one of this kind's.
[[nodiscard]] bool belongs(const JobField& field, DraftKind kind);

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
  /// Values that were not changed become the kind's own.
  void setKind(DraftKind kind);
  [[nodiscard]] const QString& origin() const { return origin_; }

  [[nodiscard]] QString value(const QString& key) const { return values_.value(key); }
  void setValue(const QString& key, const QString& text) { values_.insert(key, text); }
  /// A model that a laptop trains in minutes, in place of the paper's size.
  void makeSmall();

  QString name;  ///< of the job
  QString device = QStringLiteral("auto");
  bool onSlurm = false;
  QString sbatch;  ///< arguments of sbatch, separated by spaces

  /// What is wrong, by key ("name" too); empty: it can be started.
  [[nodiscard]] QMap<QString, QString> problems() const;
  /// natscope-cli's arguments. `start`: with the flags that make it a detached job.
  [[nodiscard]] QStringList arguments() const;
  /// Arguments that ask for a forecast in place of a run; empty where the command makes none.
  [[nodiscard]] QStringList forecastArguments() const;
  /// Empty parts where a base model's size would have to be known.
  [[nodiscard]] JobEstimate estimate() const;

 private:
  [[nodiscard]] QString defaultOf(const JobField& field) const;
  [[nodiscard]] double number(const char* key) const { return value(QLatin1String(key)).toDouble(); }
  void addFlags(QStringList& arguments) const;

  DraftKind kind_ = DraftKind::scratch;
  QString origin_;
  QMap<QString, QString> values_;
  QMap<QString, QString> original_;
};

}  // namespace natscope::ui
