// What the types must refuse: where one of them became `any`, a line below would be no error, and that is one.
import type { components, paths } from "./quire.js";

type Job = components["schemas"]["JobRead"];
type Submitted = paths["/v1/documents"]["post"]["responses"][202]["content"]["application/json"];

declare const submitted: Submitted;
export const job: Job = submitted.job;

// @ts-expect-error: a state that no job has
export const state: Job["state"] = "asleep";
// @ts-expect-error: a member that no job has
export const colour = job.colour;
// @ts-expect-error: a document's id is text
export const id: number = submitted.document.id;
