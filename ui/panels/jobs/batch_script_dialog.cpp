// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/jobs/batch_script_dialog.h"

#include <QFontDatabase>
#include <QHBoxLayout>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QVBoxLayout>

#include "core/base/atomic_file.h"
#include "core/jobs/job_file.h"
#include "ui/models/elsewhere.h"

namespace natscope::ui {
namespace {

constexpr std::uint64_t longestScript = std::uint64_t{1} << 20;

}  // namespace

BatchScriptDialog::BatchScriptDialog(JobDesk& desk, const QString& job, QWidget* parent)
    : QDialog(parent),
      desk_(desk),
      job_(job),
      text_(new QPlainTextEdit(this)),
      problem_(new QLabel(this)),
      save_(new QPushButton(tr("Save"), this)),
      start_(new QPushButton(tr("Save and submit"), this)) {
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle(tr("Batch script of %1").arg(job));
  resize(760, 520);
  text_->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
  text_->setLineWrapMode(QPlainTextEdit::NoWrap);
  auto* const layout = new QVBoxLayout(this);
  layout->addWidget(text_, 1);
  problem_->setWordWrap(true);
  problem_->hide();
  layout->addWidget(problem_);
  auto* const buttons = new QHBoxLayout;
  buttons->addStretch();
  auto* const close = new QPushButton(tr("Close"), this);
  for (QPushButton* const button : {close, save_, start_}) buttons->addWidget(button);
  layout->addLayout(buttons);
  start_->setToolTip(tr("Give the script to sbatch; a job that has a checkpoint goes on from it"));
  connect(close, &QPushButton::clicked, this, &QDialog::close);
  connect(save_, &QPushButton::clicked, this, [this] { save(false); });
  connect(start_, &QPushButton::clicked, this, [this] { save(true); });
  read();
}

void BatchScriptDialog::read() {
  save_->setEnabled(false);
  start_->setEnabled(false);
  elsewhere(
      this,
      [folder = desk_.root() / job_.toStdString(), program = desk_.program().toStdString()]() -> Expected<std::string> {
        NATSCOPE_TRY(const auto path, jobs::prepare_batch_script(folder, {program, {}}));
        return jobs::read_job_file(path, longestScript);
      },
      [this](const Expected<std::string>& script) {
        if (!script) {
          problem_->setText(QString::fromStdString(format_error_line(script.error())));
          problem_->show();
          return;
        }
        text_->setPlainText(QString::fromStdString(*script));
        save_->setEnabled(true);
        start_->setEnabled(true);
      });
}

void BatchScriptDialog::save(bool andStart) {
  elsewhere(
      this,
      [path = desk_.root() / job_.toStdString() / "slurm.sh", text = text_->toPlainText().toStdString()] {
        return write_file_atomically(path, std::string_view(text));
      },
      [this, andStart](const Expected<void>& written) {
        if (!written) {
          problem_->setText(QString::fromStdString(format_error_line(written.error())));
          problem_->show();
          return;
        }
        if (andStart) desk_.startOn(job_, jobs::RunnerKind::slurm);
        close();
      });
}

}  // namespace natscope::ui
