import { ExportJobs } from "@reel-ballers/export-jobs";
import { ExportJobsProvider, useExport, useExportJobs, useExports } from "@reel-ballers/export-jobs/react";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

const given = new URLSearchParams(location.hash.slice(1));
const client = new ExportJobs({ url: given.get("url") ?? "", token: given.get("token") ?? "" });
const projectId = 7;

function One({ id }: { id: string }) {
  const { job, error } = useExport(id);
  return <p id="one">{error ? String(error) : `${job?.status} ${job?.progress}`}</p>;
}

function All() {
  const { exports } = useExports(projectId);
  return <p id="all">{exports.map(({ status }) => status).join(" ")}</p>;
}

function App() {
  const exports = useExportJobs();
  const [id, setId] = useState<string | null>(null);
  const begin = async (file: File) => {
    const { input_video_key } = await exports.upload(file, { projectId });
    const params = { clips: [{ start_time: 0, end_time: 1 }] };
    const job = await exports.jobs.create({ project_id: projectId, type: "annotate", input_video_key, params });
    setId(job.id);
  };
  return (
    <>
      <input
        type="file"
        aria-label="video"
        onChange={({ target }) => target.files?.[0] && void begin(target.files[0])}
      />
      {id === null ? null : <One id={id} />}
      <All />
    </>
  );
}

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <ExportJobsProvider client={client}>
        <App />
      </ExportJobsProvider>
    </StrictMode>,
  );
}
