import type { CreateJobInput, ExportJobs } from "../client/index.ts";
import { choice, field, h, messageOf } from "./dom.ts";
import { newParamsEditor } from "./params-editor.ts";
import { readProject } from "./session.ts";

/** Drop a video, say what is to become of it, see it on the video, and begin. */
export function showCreate(main: HTMLElement, client: ExportJobs, signal: AbortSignal): void {
  let file: File | null = null;
  let uploaded: { file: File; projectId: number; key: string } | null = null;
  const video = h("video", {
    controls: true,
    muted: true,
    playsinline: true,
    "aria-label": "The chosen video",
    hidden: true,
  });
  const stage = h("div", { class: "stage" }, video);
  const picker = h("input", { type: "file", accept: "video/*,.mkv,.mts,.m2ts,.ts" });
  const drop = h("div", { class: "drop" }, field("Drop a video here, or choose one", picker));
  const type = choice(
    [
      ["framing", "framing: follow with a crop"],
      ["overlay", "overlay: highlight a player"],
      ["annotate", "annotate: cut clips"],
    ],
    "framing",
  );
  const bar = h("progress", { max: 100, value: 0, "aria-label": "Upload", hidden: true });
  const said = h("p", { role: "alert", class: "bad lines" });
  const button = h("button", { class: "primary", disabled: true }, "Export");
  const editor = newParamsEditor(video, stage);

  const choose = (chosen: File | undefined) => {
    if (chosen) {
      file = chosen;
      URL.revokeObjectURL(video.src);
      video.src = URL.createObjectURL(chosen);
      video.hidden = false;
      button.disabled = false;
    }
  };
  /** A file that is there already is not sent again. */
  const upload = async (chosen: File, projectId: number): Promise<string> => {
    if (uploaded?.file !== chosen || uploaded.projectId !== projectId) {
      const onProgress = (sent: number, total: number) => {
        bar.value = (sent / total) * 100;
      };
      const { input_video_key: key } = await client.upload(chosen, { projectId, onProgress, signal });
      uploaded = { file: chosen, projectId, key };
    }
    return uploaded.key;
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!file) {
      return;
    }
    button.disabled = true;
    bar.hidden = false;
    said.textContent = "";
    try {
      const project_id = readProject();
      const request: CreateJobInput = {
        project_id,
        input_video_key: await upload(file, project_id),
        metadata: { name: file.name.slice(0, 200) },
        ...editor.read(),
      };
      const { id } = await client.jobs.create(request, { signal });
      location.assign(`#/job/${id}`);
    } catch (error) {
      said.textContent = messageOf(error);
      button.disabled = false;
    }
  };
  signal.addEventListener("abort", () => URL.revokeObjectURL(video.src));
  picker.addEventListener("change", () => choose(picker.files?.[0]));
  type.addEventListener("change", () => editor.show(type.value));
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    choose(event.dataTransfer?.files[0]);
  });
  const form = h(
    "form",
    { onsubmit: submit },
    drop,
    h("div", { class: "row" }, field("What to make", type)),
    stage,
    editor.element,
    h("div", { class: "row" }, button, bar),
    said,
  );
  main.append(h("h2", {}, `New export in project ${readProject()}`), form);
  editor.show(type.value);
}
